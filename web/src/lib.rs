//! What people and client programs see over HTTP: the API and the first page.
