//! Authorize, sign-in, consent, connections, and what every answer to a browser carries.
