"""Words that columns and statuses are named with, in the languages of shops, for guessing what a file holds.

Elsewhere: how they are compared (``guess_columns.py``, ``guess_orders.py``), what a declaration knows by itself
(``declaration/statuses.py``).
"""

from __future__ import annotations

import re

from tdml_assets.declaration.statuses import COMMON_PHRASES, Meaning


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: Words per column of the contract, the most telling first, without case, accents and marks. A word of four letters or more may be
#: part of a name.
NAMES: dict[str, tuple[str, ...]] = {
    "customer_id": _words(
        "customerid customeremail customernumber customerno customerkey clientid userid memberid accountid kundennummer kundennr "
        "kundenid idclient clienteid billingemail email emailaddress customer client cliente kunde buyeremail soldtoparty soldto "
        "payer codeclient numeroclient clienteemail correo courriel klant klantnummer shopperemail shopperreference debitor "
        "debitorennummer debnr accountreference accountref comprador klient zakaznik contactids contactid contact "
        "顧客id 会員id 顧客番号 顧客 会員 メール"
    ),
    "moment": _words(
        "orderedat orderdate closedate ordertime invoicedate purchasedate purchasetime transactiondate postedat createdat "
        "createdutc created viewedat sentat eventtime timestamp bestelldatum bestelltam rechnungsdatum datecommande datedecommande "
        "fechapedido fechadelpedido dataordine besteldatum opened openedat orderedon placedat soldat billingdate bookingdate "
        "creationdate createdon buchungsdatum datazamowienia datumobjednavky eventts datum fecha datetime 注文日時 受注日時 注文日 "
        "受注日 購入日 日付 日時 date data time ts day when"
    ),
    "amount": _words(
        "linetotal lineamount linenet lineprice amount netamount totalamount ordertotal grandtotal total subtotal netvalue sales "
        "revenue zeilensumme "
        "gesamtpreis umsatz betrag summe montant importe netto brutto totalprice ordervalue dollarvalue purchaseamount totalpaid "
        "prixtotal totalligne totallinea importo regeltotaal bedrag wartosc kwota cenacelkem valortotal valor belopp value spend "
        "spent 金額 合計金額 小計 合計 売上 税込金額 "
        "gross grosssales grossamount"
    ),
    "quantity": _words(
        "quantity qty lineitemquantity units anzahl menge quantite cantidad quantita quantidade unidades aantal ilosc mnozstvi "
        "antal stueck stuck numberofitems numberofunits numberof 数量 個数"
    ),
    "unit_price": _words(
        "unitprice lineitemprice itemprice einzelpreis stuckpreis prixunitaire preciounitario prezzounitario stukprijs "
        "cenajednostkowa cenazakus valorunitario precounitario precio "
        "price preis prix prezzo prijs 単価 価格"
    ),
    "order_id": _words(
        "orderid ordernumber orderno invoiceno invoicenumber invoice transactionid bestellnummer bestellnr auftragsnummer "
        "auftragsnr auftrag rechnungsnummer numerocommande numcommande commande numeropedido pedido numeroordine ordine "
        "bestelling bestelnummer numerodopedido numerzamowienia cisloobjednavky incrementid documentnumber billingdocument "
        "salesdocument merchantreference belegnummer belegnr "
        "ordername orderref orderreference order receiptnumber receiptid receipt basketid opportunityid dealid recordid "
        "docno documentno 注文番号 注文id 受注番号 oid id"
    ),
    "product_id": _words(
        "productid sku lineitemsku stockcode itemid articleid artikelnummer artikelnr artikel productcode itemcode productsku "
        "referencia reference codigoproducto codicearticolo ean asin material materialnumber kodproduktu kodzbozi product article "
        "item producto produto produit prodotto 商品コード "
        "商品番号 商品id 商品"
    ),
    "product_name": _words(
        "productname lineitemname itemdescription productdescription itemname producttitle artikelbezeichnung "
        "produktbezeichnung artikelname produktname bezeichnung designation nombreproducto nomproduit description 商品名"
    ),
    "product_category": _words(
        "productcategory category department warengruppe kategorie categorie categoria producttype カテゴリ"
    ),
    "order_status": _words(
        "orderstatus financialstatus paymentstatus dealstage opportunitystage status state bestellstatus zahlungsstatus statut "
        "etat estado stato situacao stage stav 状態 ステータス 注文状況"
    ),
    "parent_order_id": _words(
        "parentorderid parentorder parentid parent originalorderid originalorder refundedorder creditedorder originalinvoice "
        "relatedorder relatedinvoice refinvoice invoiceref referencetxnid originaltransactionid originaltransaction ref"
    ),
    "refunded_amount": _words(
        "refundedamount amountrefunded totalrefunded totalrefunds refundtotal refundamount erstattungsbetrag erstattet "
        "montantrembourse importereembolsado refunded 返金額"
    ),
    "order_type": _words("ordertype channel saleschannel kanal vertriebskanal canal"),
    "currency": _words("currency currencycode waehrung wahrung devise moneda valuta 通貨"),
    "coupon_used": _words("couponused couponapplied hascoupon usedcoupon"),
    "path": _words("path url page pageurl pagepath"),
    "event_type": _words("eventtype event action activity"),
    "email_name": _words("emailname mailing subject"),
    "campaign_name": _words("campaignname campaign kampagne"),
    "old_id": _words(
        "oldid oldcustomerid oldcustomer mergedid mergedcustomer fromid fromcustomer sourceid duplicateid aliasid alias "
        "secondaryid loserid old merged duplicate"
    ),
    "person": _words(
        "personid person newid newcustomerid newcustomer intoid mergedinto toid tocustomer targetid masterid primaryid survivorid "
        "mainid winnerid new into master primary survivor"
    ),
    "valid_from": _words("validfrom mergedat mergedon since validsince from date"),
    "updated_at": _words("updatedat lastmodified modifiedat dateupdated geandertam updated modified lastupdate"),
    "recorded_at": _words(
        "recordedat recordedon createdat loadedat loadedon insertedat updatedat importedat ingestedat extractedat dateloaded "
        "recorddate loaddate loadts loadtimestamp etltime recorded loaded inserted imported ingested dwhloaded sdcextractedat "
        "fivetransynced erfasstam geladenam lastmodified modifiedat dateupdated geandertam lastupdate"
    ),
    "line_number": _words(
        "linenumber lineno lineid lineitemid orderlineid orderitem orderitemid line itemno itemnumber position pos "
        "zeile ligne linea"
    ),
    "kind": _words("linetype itemtype rowtype kind lineitemtype productkind"),
}

#: Words of a role that mean something else in many files, such as the cashier or the name of a product: looked at last.
LAST_NAMES: dict[str, tuple[str, ...]] = {"customer_id": _words("buyer member user who")}
#: The same for names that say it with no other word next to them.
WHOLE_NAMES: dict[str, tuple[str, ...]] = {"customer_id": _words("name fullname contactname")}
#: Words that make a column something of an order, a product or a customer, and not its id.
NOT_IDS = frozenset(
    _words(
        "currency status state date time datum fecha total amount value count quantity qty price fee shipping discount tax type "
        "group source channel method note notes comment message tags city country zip phone ip category service facing balance "
        "weight statut estado stato stav"
    )
)
#: Words that make a column of refunds no amount.
NO_REFUNDS = frozenset(_words("qty quantity units count number status state date time at on by id reason"))
#: Words that make a column no money, though it is named after sales.
NOT_MONEY = frozenset(_words("document number nummer nr id code date datum type status count key reference channel"))

#: Names of columns of money that are not the amount of a line or an order.
OTHER_MONEY = _words(
    "tax vat mwst ust tva iva duty shipping versand freight postage handling discount rabatt coupon fee gebuhr tip weight gewicht "
    "cost margin commission rate percent steuer frais livraison remise descuento impuesto envio sconto imposta spedizione korting "
    "verzendkosten 消費税 税額 送料 割引 割引額 "
    "lat lon latitude longitude zip plz phone score rating balance stock"
)

#: Words before one of these that make it a part of an amount, or not a part: total including tax, net of discount.
WITH = _words(
    "including included inclusive incl inc excluding excluded exclusive excl exc ex inkl exkl inklusive exklusive ohne mit without "
    "with before after less minus hors avant apres sin con zzgl plus"
)

#: Statuses in other languages than those that a declaration knows: what each probably counts as.
FOREIGN_STATUSES: dict[Meaning, tuple[str, ...]] = {
    "sale": (
        *(
            "bezahlt",
            "abgeschlossen",
            "versendet",
            "versandt",
            "geliefert",
            "in bearbeitung",
            "teilweise erstattet",
            "erledigt",
        ),
        *(
            "zrealizowane",
            "wysłane",
            "opłacone",
            "dostarczone",
            "w realizacji",
            "vyřízeno",
            "odesláno",
            "zaplaceno",
            "doručeno",
        ),
        *("entregue", "concluído", "concluída", "pago", "paga", "em processamento", "aprovado", "afgerond", "bezorgd"),
        *(
            "paid in full",
            "closed won",
            "unfulfilled",
            "awaiting fulfillment",
            "awaiting shipment",
            "slutförd",
            "betald",
            "levererad",
            "skickad",
            "発送済",
        ),
        *("payée", "payé", "terminée", "terminé", "expédiée", "expédié", "livrée", "livré", "en cours", "validée"),
        *("pagado", "pagada", "completado", "completada", "enviado", "enviada", "entregado", "entregada", "procesando"),
        *("pagato", "completato", "spedito", "consegnato", "betaald", "voltooid", "verzonden", "geleverd"),
        *("支払済み", "支払い済み", "入金済み", "発送済み", "出荷済み", "完了", "配達済み", "処理中"),
    ),
    "return": (
        "gutschrift",
        "rechnungskorrektur",
        "nota de crédito",
        "nota di credito",
        "kreditnota",
        "retoure",
        "rückgabe",
        "avoir",
        "retour",
        "devolución",
        "abono",
        "reso",
        "zwrot",
        "dobropis",
        "devolução",
        "返品",
    ),
    "void": (
        *(
            "storniert",
            "abgebrochen",
            "erstattet",
            "zurückerstattet",
            "fehlgeschlagen",
            "offen",
            "ausstehend",
            "abgelehnt",
        ),
        *("annulée", "annulé", "remboursée", "remboursé", "échouée", "échoué", "en attente", "refusée"),
        *("cancelado", "cancelada", "anulado", "reembolsado", "reembolsada", "fallido", "pendiente", "rechazado"),
        *("annullato", "rimborsato", "fallito", "in attesa", "geannuleerd", "terugbetaald", "mislukt", "in afwachting"),
        *("anulowane", "zwrócone", "nieopłacone", "odrzucone", "stornováno", "vráceno", "nezaplaceno", "zrušeno"),
        *("devolvido", "devolvida", "reembolsado", "recusado", "aguardando pagamento", "estornado", "devuelto"),
        *(
            "error",
            "closed lost",
            "uncollectible",
            "skipped",
            "erreur",
            "échec",
            "refusé",
            "rechazada",
            "retourniert",
            "pagamento non riuscito",
            "avbruten",
            "återbetald",
        ),
        *("não pago", "requires_payment_method", "requires_action", "requires_confirmation", "requires_capture"),
        *("キャンセル", "キャンセル済み", "返金済み", "未払い", "入金待ち", "保留", "失敗"),
    ),
    "ignore": ("testbestellung", "prueba", "テスト"),
}

#: Rows of payment systems: charges and what is given back, and rows that are not orders at all.
PAYMENT_TYPES: dict[Meaning, tuple[str, ...]] = {
    "sale": ("charge", "payment", "sale", "order", "purchase", "capture", "invoice", "shop_order", "settled"),
    "return": ("refund", "payment refund", "payment_refund", "partial refund", "return", "credit", "shop_order_refund"),
    "ignore": (
        *(
            "payout",
            "transfer",
            "withdrawal",
            "stripe_fee",
            "fee",
            "fees",
            "adjustment",
            "reserve",
            "deposit",
            "servicefee",
        ),
        *(
            "application_fee",
            "tax",
            "authorization",
            "auth",
            "hold",
            "conversion",
            "currency conversion",
            "general withdrawal",
        ),
    ),
}

_GUESSED: dict[str, Meaning] = {
    word: meaning
    for words in (FOREIGN_STATUSES, PAYMENT_TYPES)
    for meaning, phrases in words.items()
    for word in phrases
}


#: Words that are the end of an order whatever stands beside them, as in ``cancelled_by_partner``: not yet paid may become a sale.
_ENDS = frozenset(word for word in (*COMMON_PHRASES["void"], *FOREIGN_STATUSES["void"]) if word.isalpha()) - {
    "pending",
    "draft",
    "offen",
    "ausstehend",
    "pendiente",
    "expired",
}
#: Words of rows that are no orders, such as ``General Currency Conversion``.
_NO_ORDERS = frozenset(("conversion", "withdrawal", "payout"))
_NOT_WHOLE = re.compile(r"parti|partly|part$|parc|parz|teil|gedeel|(not?|non|nicht|pas)$", re.IGNORECASE)


def probable_meaning(status: str) -> Meaning | None:
    """What a status of another language or of a payment system probably counts as; ``None`` for a word that says nothing."""
    plain = status.strip().lower()
    words = re.split(r"[\W_]+", plain)
    is_end = len(words) > 1 and not _ENDS.isdisjoint(words) and not any(map(_NOT_WHOLE.match, words))
    if plain in _GUESSED:
        return _GUESSED[plain]
    if len(words) > 1 and not _NO_ORDERS.isdisjoint(words):
        return "ignore"
    return "void" if is_end or plain.startswith("キャンセル") else None


#: Product codes of lines that are not products, as ``line_kinds`` names them.
KINDS: dict[str, tuple[str, ...]] = {
    "shipping": (
        "shipping",
        "ship",
        "post",
        "postage",
        "versand",
        "versandkosten",
        "delivery",
        "dotcom postage",
        "livraison",
        "envio",
    ),
    "discount": ("discount", "coupon", "rabatt", "gutschein", "remise", "descuento", "promo", "voucher discount"),
    "tax": ("tax", "vat", "mwst", "sales_tax", "tva", "iva"),
    "gift_card": ("gift_card", "giftcard", "gift card", "geschenkkarte"),
    "tip": ("tip", "trinkgeld", "pourboire"),
    "fee": ("fee", "handling", "surcharge", "gebühr"),
    "sample": ("sample", "muster", "échantillon"),
}
