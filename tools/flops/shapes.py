"""Networks whose weights have shapes but no values: built in no time."""

import keras


def network(factory, **arguments):
    """Builds a network of any width without computing anything.

    Args:
        factory: class or factory of a network.
        **arguments: arguments of the network.

    Returns:
        The network; its variables know their shapes only.
    """
    with keras.StatelessScope(initialize_variables=False):
        built = factory(**arguments)
        built.build()
    # Or Keras would give them values at the end of some later scope.
    keras.utils.clear_session()
    return built
