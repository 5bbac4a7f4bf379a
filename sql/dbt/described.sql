describe (
__model__
)
