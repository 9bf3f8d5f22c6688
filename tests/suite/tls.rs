//! TLS against real servers, recorded answers and invalid ones.

mod hello;
mod openssl;
mod options;
