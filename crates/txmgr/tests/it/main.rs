//! The transaction manager, at its own interface.
