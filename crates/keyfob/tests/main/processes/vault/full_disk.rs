//! `keyfob vault` on a disk that takes no more.

use super::Vault;
use crate::processes::place::clear_environment;
use crate::processes::serving::Serving;
use serde_json::json;
use std::process::Command;

/// Under an authority that takes each refresh token once, what comes from a refresh is all there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_no_write_takes_are_kept_until_one_does_and_hold_up_the_end() {
    let vault = Vault::on("vault.db");
    vault.sandbox.has_fault(json!({ "fault": "refresh", "mode": "strict" })).await;
    let start = || {
        let vault = vault.command(&[]);
        let mut command = Command::new("sh");
        // Ignored signals stay ignored across exec: a limit on the size of files is then an error, as a full disk is, and not the end.
        command.args(["-c", "trap '' XFSZ; exec \"$0\" vault", env!("CARGO_BIN_EXE_keyfob")]);
        clear_environment(&mut command);
        command.current_dir(vault.get_current_dir().expect("set"));
        Serving::start(command)
    };
    let full = |serving: &Serving, is_full: bool| {
        let limit = if is_full { "--fsize=1:unlimited" } else { "--fsize=unlimited:unlimited" };
        let status = Command::new("prlimit").args([&format!("--pid={}", serving.id()), limit]).status();
        assert!(status.expect("prlimit of util-linux").success());
    };
    let refreshes_as_the_disk_fills = async |serving: &Serving, time: u64| {
        vault.sandbox.advance("61m").await;
        vault.sandbox.has_fault(json!({ "fault": "delay", "at": "token", "milliseconds": 1500 })).await;
        let path = "/proxy/fub/u1/v1/identity";
        let (answer, ()) = tokio::join!(vault.get(serving, path), async {
            vault.sandbox.fires("delay", time).await;
            full(serving, true);
        });
        Vault::works(&answer);
        assert_eq!(serving.says("new tokens came and cannot be written: they are in this process's memory alone; make room before it ends")["level"], "ERROR");
    };

    let serving = start();
    vault.connect(&serving, "u1").await;
    // A disk that is full before anybody needs it is seen by the load balancer.
    full(&serving, true);
    assert_eq!(serving.says("the store cannot be written to; this node is not ready")["level"], "ERROR");
    let ready = vault.get(&serving, "/readyz").await;
    assert_eq!((ready.status, ready.body.as_str()), (503, "store\n"));
    full(&serving, false);
    serving.says("the store can be written to again");
    assert_eq!(vault.get(&serving, "/readyz").await.status, 200);
    refreshes_as_the_disk_fills(&serving, 1).await;
    full(&serving, false);
    // Nobody calls, and it is killed later.
    serving.says("the new tokens are written after all");
    serving.kill();

    let mut serving = start();
    refreshes_as_the_disk_fills(&serving, 2).await;
    serving.terminate();
    serving.says("not stopping yet: new tokens are in this process's memory alone; make room now");
    full(&serving, false);
    assert!(serving.ended().success());
    let serving = start();
    Vault::works(&vault.get(&serving, "/proxy/fub/u1/v1/identity").await);
    serving.stop();
}
