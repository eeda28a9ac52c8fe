"""Programs that measure the speed and the memory use of jaxgan; the library and the experiments do not import them."""
