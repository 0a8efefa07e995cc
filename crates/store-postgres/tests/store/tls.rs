//! TLS to the database: verified whenever it is spoken.

use std::path::PathBuf;

use keyfob_authority::conformance::build::{approved, insert, win};
use keyfob_store_postgres::Options;
use keyfob_testkit::PostgresCluster;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::place::{Place, open};

/// Certificate authorities of a test, and a server that has a certificate of the first.
struct Authorities {
    directory: tempfile::TempDir,
}

impl Authorities {
    fn serving(place: &Place) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let [ours, theirs] = ["ours", "theirs"].map(|name| {
            let mut params = CertificateParams::new(vec![]).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let key = KeyPair::generate().unwrap();
            let certificate = params.self_signed(&key).unwrap();
            std::fs::write(directory.path().join(name), certificate.pem()).unwrap();
            Issuer::new(params, key)
        });
        drop(theirs);
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &ours).unwrap();
        for (file, text) in [("server.crt", certificate.pem()), ("server.key", key.serialize_pem())] {
            let lines: Vec<String> = text.lines().map(|line| format!("('{line}')")).collect();
            // The server writes its own file, since only its user may read the key. It runs in its data directory.
            place.database.sql(&format!("COPY (VALUES {}) TO PROGRAM 'umask 077; cat > {file}'", lines.join(",")));
        }
        place.database.sql("ALTER SYSTEM SET ssl = on");
        place.database.sql("SELECT pg_reload_conf()");
        Self { directory }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_spoken_as_the_url_says_and_the_server_is_verified() {
    let place = Place::in_cluster(PostgresCluster::own_on_tcp).await;
    let (who, host) = place.database.over_tcp();
    let by_name = host.replace("127.0.0.1", "localhost");
    let url = |host: &str, options: &str| format!("postgres://{who}@{host}/{}?{options}", place.database.name());

    let plain = open(&url(&host, "sslmode=require"), &Options::default()).await.expect_err("it speaks no TLS yet");
    assert!(plain.to_string().contains("TLS"), "{plain}");
    drop(open(&url(&host, "sslmode=prefer"), &Options::default()).await.expect("without TLS, then"));

    let authorities = Authorities::serving(&place);
    let roots = |name: &str| authorities.file(name).to_str().unwrap().replace('/', "%2F");
    let ours = format!("sslmode=require&sslrootcert={}", roots("ours"));
    let store = loop {
        // The server takes its new setting a moment later.
        if let Ok(store) = open(&url(&by_name, &ours), &Options::default()).await {
            break store;
        }
        tokio::task::yield_now().await;
    };
    win(&store, insert(1, approved(1))).await;
    let encrypted = place.database.sql(
        "SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
         WHERE application_name = 'keyfob'",
    );
    let (all, encrypted) = encrypted.split_once('|').unwrap();
    assert!(all == encrypted && all != "0", "{encrypted} of {all}");

    for (host, options, why) in [
        (&by_name, format!("sslmode=require&sslrootcert={}", roots("theirs")), "another authority's"),
        (&host, ours.clone(), "another name"),
        (&by_name, "sslmode=require".to_owned(), "an authority that this machine does not know"),
        (&by_name, format!("sslmode=prefer&sslrootcert={}", roots("theirs")), "verified whenever it is spoken"),
    ] {
        let refused = open(&url(host, &options), &Options::default()).await.expect_err(why).to_string();
        assert!(refused.contains("certificate"), "{why}: {refused}");
    }
    let refused = open(&url(&by_name, "sslmode=require&sslrootcert=nowhere.pem"), &Options::default()).await;
    let refused = refused.expect_err("no such file").to_string();
    assert!(refused.contains("nowhere.pem"), "{refused}");
    drop(open(&url(&host, "sslmode=disable"), &Options::default()).await.expect("without TLS"));
    let wrong = url(&host, "").replace(&who, "postgres:hunter2");
    let refused = open(&wrong, &Options::default()).await.expect_err("another password").to_string();
    assert!(refused.contains("password") && !refused.contains("hunter2"), "{refused}");
}
