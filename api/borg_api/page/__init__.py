"""The page: what people look at, made of the views and the operations that REST has."""
