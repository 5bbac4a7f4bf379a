"""Immutable model versions and the champion pointer, in any blob store.

Elsewhere: bytes on disk or S3 (``blobs.py``, ``s3_blobs.py``), parsing a model, deciding a promotion, Dagster.

Layout below the root: ``<workflow>/<version>/<file>``, ``<workflow>/<version>/manifest.json`` written last,
``<workflow>/champion.json`` and, where an operator holds it, ``<workflow>/hold.json``. A version without a manifest does not
exist.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from tdml_assets.models.blobs import (
    Blob,
    BlobConflictError,
    BlobMissingError,
    BlobStore,
    BlobStoreError,
    FolderStore,
    NotAFileError,
)
from tdml_assets.models.bundles import (
    CHAMPION_FILE,
    MANIFEST_FILE,
    MANIFEST_LIMIT_BYTES,
    POINTER_LIMIT_BYTES,
    REMEDY,
    REMEDY_OF_REPLACED,
    BundleDamagedError,
    Champion,
    Manifest,
    StoredFile,
    describe_files,
    is_version,
    is_workflow,
    parse_champion,
    parse_manifest,
    require_recorded,
    require_version,
    require_workflow,
    sha256,
    verify_file,
)
from tdml_assets.models.stored_bundle import (
    HOLD_FILE,
    Bundle,
    CurrentChampion,
    Hold,
    PromotionConflictError,
    VersionConflictError,
    before,
    lost_to,
    parse_hold,
    same_choice,
)

__all__ = ["Bundle", "BundleStore", "CurrentChampion", "PromotionConflictError", "VersionConflictError"]

_LOG = logging.getLogger(__name__)


class BundleStore:
    """Model versions in a blob store.

    ``blobs``: where the bytes are. ``cache``: folder that keeps verified copies of remote versions; None for a local store.
    """

    def __init__(self, blobs: BlobStore, cache: Path | None = None) -> None:
        self._blobs = blobs
        self._cache = FolderStore(cache) if cache is not None else None

    def write(self, manifest: Manifest, files: Mapping[str, bytes], warn: Callable[[str], None] = _LOG.warning) -> bool:
        """Store a version. Returns whether it is new; storing the same model again only writes anew what was damaged.

        Raises ``ValueError`` if the manifest does not describe exactly ``files``. Raises ``VersionConflictError`` if another
        content is stored under the version's name. Raises ``BundleDamagedError`` if the stored manifest cannot be read, so that
        nothing says what the version was. ``manifest``: its ``files`` are ``describe_files(files)``. ``warn``: takes a sentence for
        each file that was damaged.
        """
        if manifest.files != describe_files(files):
            raise ValueError(f"the manifest of {manifest.version} does not describe its files: use describe_files")
        folder = f"{manifest.workflow}/{manifest.version}"
        stored = {**files, MANIFEST_FILE: manifest.to_bytes()}
        if self._blobs.create_set(folder, stored, MANIFEST_FILE):
            return True
        differences = self.manifest(manifest.workflow, manifest.version).differences(manifest)
        if differences:
            raise VersionConflictError(
                f"{folder} is already stored in {self._blobs.url} with other {differences}, and a version never changes: if a "
                "table of the workflow was edited, run without --select, which builds it anew; if the stored files were "
                "replaced, remove that folder and run again; if code was changed, give it another version"
            )
        self._repair(folder, manifest, files, warn)
        return False

    def manifest(self, workflow: str, version: str) -> Manifest:
        """Read the manifest of a version. Raises ``LookupError`` if it is not there or incomplete."""
        return self._manifest(workflow, version)[0]

    def read(
        self, workflow: str, version: str, manifest_sha256: str | None = None, recorded: str | None = None
    ) -> Bundle:
        """Read a version, every byte verified before it is handed over.

        Raises ``LookupError`` if there is no such version. Raises ``BundleDamagedError`` if a file is missing or differs from the
        manifest, or the manifest from ``manifest_sha256``. ``manifest_sha256``: hash the manifest must have, as the champion
        pointer holds it. ``recorded``: hash of its content, as it was kept outside of the store when it was trained.
        """
        manifest, found = self._manifest(workflow, version)
        if manifest_sha256 is not None and found != manifest_sha256:
            raise BundleDamagedError(
                f"the manifest of {workflow}/{version} is not the one that was promoted: {REMEDY_OF_REPLACED}"
            )
        require_recorded(manifest, recorded)
        folder = f"{workflow}/{version}"
        files = self._cached(folder, manifest)
        if files is None:
            files = {file.name: self._verified(self._blobs, folder, file) for file in manifest.files}
            self._keep(folder, manifest, files)
        return Bundle(manifest, found, files)

    def remove(self, workflow: str, version: str) -> None:
        """Remove a version for good. Raises ``ValueError`` if it scores, or the champion's pointer names it as the one before."""
        current = self.champion(workflow)
        if current is not None and version in (current.champion.version, current.champion.previous):
            raise ValueError(f"{workflow}/{version} is the champion or the version before it: promote another first")
        folder = f"{require_workflow(workflow)}/{require_version(version)}"
        self._blobs.remove_set(folder, MANIFEST_FILE)
        if self._cache is not None:
            self._cache.discard(folder)

    def workflows(self) -> list[str]:
        """Names of the workflows that have a complete version, in order."""
        return [name for name in self._blobs.folders("") if is_workflow(name) and self.versions(name)]

    def versions(self, workflow: str) -> list[str]:
        """Names of the complete versions, oldest as_of date first."""
        return [name for name in self._folders(workflow) if self._is_complete(workflow, name)]

    def champion(self, workflow: str) -> CurrentChampion | None:
        """Read the champion pointer; None if nothing was promoted yet.

        Raises ``BundleDamagedError`` if the pointer cannot be read. It is never rebuilt from the age of versions.
        """
        try:
            blob = self._blobs.read(f"{require_workflow(workflow)}/{CHAMPION_FILE}", POINTER_LIMIT_BYTES)
        except BlobMissingError:
            return None
        except NotAFileError as error:
            raise BundleDamagedError(f"the champion pointer of {workflow} cannot be read: {error}") from None
        champion = parse_champion(blob.data)
        if champion.workflow != workflow:
            raise BundleDamagedError(f"the champion pointer of {workflow} names {champion.workflow}: promote a version")
        return CurrentChampion(champion, blob.tag)

    def read_champion(self, workflow: str, recorded: Mapping[str, str] | None = None) -> Bundle:
        """Read the version the pointer names, verified against the hash the pointer holds.

        ``recorded``: hash per version, as :meth:`read` takes it. Raises ``LookupError`` if nothing was promoted yet, or the version
        is gone. Raises ``BundleDamagedError`` if pointer, manifest or a file was damaged.
        """
        current = self.champion(workflow)
        if current is None:
            raise LookupError(f"workflow {workflow} has no champion in {self._blobs.url}: train and promote a model")
        champion = current.champion
        return self.read(workflow, champion.version, champion.manifest_sha256, (recorded or {}).get(champion.version))

    def champion_files(self, workflow: str) -> Mapping[str, bytes]:
        """Verified files of the champion, of the version before it where it is damaged; empty where there is neither."""
        current = self.champion(workflow)
        if current is None:
            return {}
        previous = current.champion.previous
        try:
            return self.read_champion(workflow).files
        except (LookupError, BundleDamagedError):
            return {} if previous is None else self.read(workflow, previous).files

    def promote(
        self,
        workflow: str,
        version: str,
        *,
        replacing: CurrentChampion | None,
        reason: str,
        session_id: str,
        promoted_at: datetime.datetime,
        recorded: str | None = None,
    ) -> CurrentChampion:
        """Move the champion pointer to a version whose every byte is verified first. A rollback is a promotion too.

        Raises ``PromotionConflictError`` if the pointer moved since; names the winner. If the winner is this very version, there is
        no conflict. Raises ``LookupError`` or ``BundleDamagedError`` if the version is not there or not whole. ``replacing``: the
        champion the decision was made against; None if there was none. ``recorded``: hash of the version's content, as :meth:`read`
        takes it.
        """
        bundle = self.read(workflow, version, recorded=recorded)
        previous = before(version, replacing)
        champion = Champion(workflow, version, bundle.manifest_sha256, previous, reason, session_id, promoted_at)
        if replacing is not None and same_choice(replacing.champion, champion):
            return self._unmoved(workflow, replacing)
        expected = replacing.tag if replacing is not None else None
        try:
            tag = self._blobs.swap(f"{workflow}/{CHAMPION_FILE}", champion.to_bytes(), expected)
        except BlobConflictError:
            winner = self.champion(workflow)
            if winner is not None and same_choice(winner.champion, champion):
                return winner
            raise lost_to(workflow, version, winner) from None
        return CurrentChampion(champion, tag)

    def restore_pointer(self, champion: Champion) -> CurrentChampion:
        """Replace a champion pointer that cannot be read, for instance by what a registry table recorded.

        Raises ``ValueError`` if the pointer can be read: then :meth:`promote` is the way. Raises ``LookupError`` or
        ``BundleDamagedError`` if the version is not there or not whole.
        """
        key = f"{champion.workflow}/{CHAMPION_FILE}"
        blob = self._blobs.read(key, POINTER_LIMIT_BYTES)
        try:
            parse_champion(blob.data)
        except BundleDamagedError:
            self.read(champion.workflow, champion.version, champion.manifest_sha256)
            return CurrentChampion(champion, self._blobs.swap(key, champion.to_bytes(), blob.tag))
        raise ValueError(f"the champion pointer of {champion.workflow} can be read: use promote")

    def held(self, workflow: str) -> Hold | None:
        """The operator's hold in force; None for none.

        Raises ``BundleDamagedError`` if it cannot be read: then nobody knows whether it is in force.
        """
        blob = self._hold_blob(workflow)
        found = None if blob is None else parse_hold(blob.data)
        return found if found is not None and found.active else None

    def hold(self, workflow: str, reason: str, at: datetime.datetime) -> Hold:
        """Keep the champion until :meth:`release`; a hold in force is replaced.

        Raises ``LookupError`` if there is no champion to keep. Raises ``ValueError`` if there is no reason.
        """
        hold = Hold(workflow, reason, at)
        if self.champion(workflow) is None:
            raise LookupError(f"workflow {workflow} has no champion in {self._blobs.url} to keep: train a model first")
        self._swap_hold(hold, self._hold_blob(workflow))
        return hold

    def release(self, workflow: str) -> Hold | None:
        """Let candidates replace the champion again. Returns the hold that ended; None if there was none."""
        blob = self._hold_blob(workflow)
        found = None if blob is None else parse_hold(blob.data)
        if found is None or not found.active:
            return None
        self._swap_hold(replace(found, active=False), blob)
        return found

    def _hold_blob(self, workflow: str) -> Blob | None:
        try:
            return self._blobs.read(f"{require_workflow(workflow)}/{HOLD_FILE}", POINTER_LIMIT_BYTES)
        except BlobMissingError:
            return None

    def _swap_hold(self, hold: Hold, before: Blob | None) -> None:
        tag = None if before is None else before.tag
        try:
            self._blobs.swap(f"{hold.workflow}/{HOLD_FILE}", hold.to_bytes(), tag)
        except BlobConflictError:
            raise PromotionConflictError(
                f"somebody else held or released {hold.workflow} meanwhile: look again with versions, then repeat"
            ) from None

    def _unmoved(self, workflow: str, expected: CurrentChampion) -> CurrentChampion:
        winner = self.champion(workflow)
        if winner is None or winner.tag != expected.tag:
            raise lost_to(workflow, expected.champion.version, winner)
        return winner

    def _manifest(self, workflow: str, version: str) -> tuple[Manifest, str]:
        folder = f"{require_workflow(workflow)}/{require_version(version)}"
        try:
            data = self._blobs.read(f"{folder}/{MANIFEST_FILE}", MANIFEST_LIMIT_BYTES).data
        except BlobMissingError:
            raise LookupError(
                f"there is no complete version {folder} in {self._blobs.url}: list the versions and take one of them"
            ) from None
        except NotAFileError as error:
            raise BundleDamagedError(f"the manifest of {folder} cannot be read: {error}") from None
        try:
            manifest = parse_manifest(data)
        except BundleDamagedError as error:
            where = f"{self._blobs.url}/{folder}"
            raise BundleDamagedError(f"{error}: remove {where} and run again, or promote another version") from error
        if (manifest.workflow, manifest.version) != (workflow, version):
            raise BundleDamagedError(
                f"the manifest in {folder} belongs to {manifest.workflow}/{manifest.version}: it was swapped, "
                f"{REMEDY_OF_REPLACED}"
            )
        return manifest, sha256(data)

    def _repair(self, folder: str, manifest: Manifest, files: Mapping[str, bytes], warn: Callable[[str], None]) -> None:
        """Write anew the files that are not what the manifest says; ``files`` are."""
        for file in manifest.files:
            try:
                self._verified(self._blobs, folder, file)
            except BundleDamagedError:
                self._blobs.replace(f"{folder}/{file.name}", files[file.name])
                warn(f"{folder}/{file.name} was damaged in {self._blobs.url} and is written anew")

    def _verified(self, blobs: BlobStore, folder: str, file: StoredFile) -> bytes:
        try:
            data = blobs.read(f"{folder}/{file.name}", file.size).data
        except BlobMissingError:
            raise BundleDamagedError(f"{folder} lacks {file.name}: {REMEDY}") from None
        except BlobStoreError as error:
            raise BundleDamagedError(f"{folder}/{file.name} cannot be read as stored ({error}): {REMEDY}") from None
        return verify_file(file, data)

    def _cached(self, folder: str, manifest: Manifest) -> dict[str, bytes] | None:
        if self._cache is None:
            return None
        try:
            return {file.name: self._verified(self._cache, folder, file) for file in manifest.files}
        except BundleDamagedError:
            return None

    def _keep(self, folder: str, manifest: Manifest, files: Mapping[str, bytes]) -> None:
        if self._cache is not None:
            self._cache.discard(folder)
            self._cache.create_set(folder, {**files, MANIFEST_FILE: manifest.to_bytes()}, MANIFEST_FILE)

    def _folders(self, workflow: str) -> list[str]:
        return [name for name in self._blobs.folders(require_workflow(workflow)) if is_version(name)]

    def _is_complete(self, workflow: str, name: str) -> bool:
        return MANIFEST_FILE in self._blobs.files(f"{workflow}/{name}")
