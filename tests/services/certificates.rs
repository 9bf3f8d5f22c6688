//! The certificate of a real server, made by openssl.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::server::Home;

/// A certificate authority, and a certificate for `localhost`, `127.0.0.1` and `example.org`.
///
/// The files belong to the user that runs the tests, so that the program may read them.
pub struct Certificates(Home);

impl Certificates {
    /// `None` if openssl is not installed.
    pub fn new() -> Option<Self> {
        if !crate::server::installed("/usr/bin/openssl", "openssl") {
            return None;
        }
        let home = Home::new();
        home.write(
            "extensions",
            "basicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature, keyEncipherment\n\
             extendedKeyUsage = serverAuth\nsubjectAltName = DNS:localhost, DNS:example.org, IP:127.0.0.1\n",
        );
        for words in [
            "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=authority -keyout ca.key -out ca.crt",
            "req -new -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key -out request",
            "x509 -req -in request -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile extensions -out certificate",
        ] {
            home.run("/usr/bin/openssl", words);
        }
        Some(Self(home))
    }

    /// The file of the authority.
    pub fn ca_file(&self) -> String {
        self.0.path("ca.crt")
    }

    /// The options of a probe that trusts the authority.
    pub fn trusted(&self) -> [String; 2] {
        ["--ca-file".to_owned(), self.ca_file()]
    }

    /// Copies the certificate and its key to the home of a server, whose owner alone can read the
    /// key; the paths of both.
    pub fn install(&self, home: &Home) -> (String, String) {
        let text = |name: &str| fs::read_to_string(self.0.path(name)).unwrap();
        let certificate = home.write("server.crt", &text("certificate"));
        let key = home.write("server.key", &text("key"));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        (certificate, key)
    }
}
