//! `golive sandbox`: only the hostile provider.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use golive_check::exit::Exit;
use golive_sandbox::{Fault, Sandbox};
use secrecy::ExposeSecret as _;

use crate::args;
use crate::check;
use crate::failure::Failure;
use crate::signal::interrupted;

pub(crate) async fn run(args: args::Sandbox) -> Result<Exit, Failure> {
    let faults = args
        .fault
        .iter()
        .map(|text| fault(text))
        .collect::<Result<Vec<_>, _>>()?;
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let sandbox = Sandbox::builder()
        .seed(args.provider.seed)
        .dialect(args.provider.dialect.into())
        .bind(loopback(args.port))
        .admin(args.admin_port.map(loopback))
        .start()
        .await
        .map_err(Failure::environment)?;
    for fault in faults {
        sandbox.faults().push(fault);
    }
    let credential = sandbox.credential();
    let mut environment = vec![
        ("GOLIVE_BASE_URL".to_owned(), sandbox.base_url().to_owned()),
        ("GOLIVE_CLIENT_ID".to_owned(), credential.client_id.clone()),
        (
            "GOLIVE_CLIENT_SECRET".to_owned(),
            credential.client_secret.expose_secret().to_owned(),
        ),
        (
            "GOLIVE_WEBHOOK_SECRET".to_owned(),
            sandbox.webhooks().secret().expose_secret().to_owned(),
        ),
    ];
    if let Some(url) = sandbox.admin_url() {
        environment.push(("GOLIVE_ADMIN_URL".to_owned(), url.to_owned()));
    }
    let mut out = anstream::stdout();
    write!(out, "{}", check::exports(&environment))?;
    out.flush()?;
    interrupted().await;
    sandbox.shutdown().await;
    Ok(Exit::Interrupted)
}

fn fault(text: &str) -> Result<Fault, Failure> {
    let fault: Fault = serde_json::from_str(text)
        .with_context(|| format!("--fault {text}"))
        .map_err(Failure::usage)?;
    fault
        .check()
        .with_context(|| format!("--fault {text}"))
        .map_err(Failure::usage)?;
    Ok(fault)
}
