//! `golive check`.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use golive_check::drive::{Driver, Plan, Provider, Settings, run as run_plan};
use golive_check::exit::Exit;
use golive_check::report::{Report, terminal};
use golive_check::select::select;
use golive_check::subject::{self, Environment, Flaw, Mistake, Running};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::args::Check;
use crate::failure::Failure;
use crate::progress::Shown;
use crate::signal::interrupted;

/// Of one hook call.
const HOOK_LIMIT: Duration = Duration::from_secs(30);
/// How often a subject is looked for.
const LOOK: Duration = Duration::from_millis(200);

pub(crate) async fn run(args: Check) -> Result<Exit, Failure> {
    tokio::select! {
        exit = checked(&args) => exit,
        () = interrupted() => Ok(Exit::Interrupted),
    }
}

/// The subject of a run. A built-in one lives as long as this does.
struct Subject {
    plan: Plan,
    _running: Option<Running>,
}

async fn checked(args: &Check) -> Result<Exit, Failure> {
    let cases = select(&args.names).map_err(Failure::usage)?;
    let outside = args.webhook.is_some() || args.drive.is_some();
    let mistake = mistake(args.subject.as_deref())?;
    let mut settings = Settings::default();
    settings.seed = args.provider.seed;
    settings.port = args.port;
    settings.dialect = args.provider.dialect.into();
    let provider = Provider::start(settings)
        .await
        .map_err(Failure::environment)?;
    let mut subject = if outside {
        an_outside_subject(args, &provider).await?
    } else {
        a_built_in_subject(args, mistake, &provider).await?
    };
    subject.plan.cases = cases;

    let shown = Shown::new(args.quiet);
    let report = run_plan(&provider, &subject.plan, &mut |progress| {
        shown.show(progress);
    })
    .await;
    shown.end();
    // The verdict stands even if nobody reads the report to its end.
    match print(&report, args.json.as_deref()) {
        Err(failure) if !failure.is_broken_pipe() => Err(failure),
        _ => Ok(Exit::of(&report, args.require_proof)),
    }
}

fn mistake(subject: Option<&str>) -> Result<Option<Mistake>, Failure> {
    let unknown = |name: &str| {
        let words = format!("there is no subject {name:?}; `golive list --subjects` shows them");
        Failure::usage(anyhow::Error::msg(words))
    };
    match subject {
        None | Some("builtin") => Ok(None),
        Some(name) => {
            let flaw = name.strip_prefix("flawed:").and_then(Flaw::find);
            flaw.map(|f| Some(f.mistake)).ok_or_else(|| unknown(name))
        }
    }
}

async fn a_built_in_subject(
    args: &Check,
    mistake: Option<Mistake>,
    provider: &Provider,
) -> Result<Subject, Failure> {
    let sandbox = provider.sandbox();
    let credential = sandbox.credential();
    let environment = Environment {
        base_url: sandbox.base_url().to_owned(),
        client_id: credential.client_id.clone(),
        client_secret: credential.client_secret.clone(),
        webhook_secret: sandbox.webhooks().secret(),
    };
    let running = subject::start(mistake, &environment)
        .await
        .map_err(Failure::environment)?;
    let name = match &args.subject {
        Some(name) if mistake.is_some() => format!("the built-in integration, {name}"),
        _ => "the built-in integration, made of golive's own crates".to_owned(),
    };
    let mut plan = Plan::new(name, format!("{:x}", args.provider.seed));
    let driver = Driver::parse(&running.drive_url, Vec::new(), HOOK_LIMIT);
    plan.driver = Some(driver.map_err(Failure::environment)?);
    plan.webhook = Some(running.webhook_url.clone());
    Ok(Subject {
        plan,
        _running: Some(running),
    })
}

async fn an_outside_subject(args: &Check, provider: &Provider) -> Result<Subject, Failure> {
    let environment = provider.environment();
    let mut urls = Vec::new();
    if let Some(webhook) = &args.webhook {
        urls.push(web_address(webhook, "--webhook")?);
    }
    let driver = match &args.drive {
        Some(drive) => {
            let driver = Driver::parse(drive, environment.clone(), HOOK_LIMIT);
            Some(driver.map_err(Failure::usage)?)
        }
        None => None,
    };
    if let Some(url) = driver.as_ref().and_then(Driver::url) {
        urls.push(web_address(url, "--drive")?);
    }
    tell(args, &environment)?;
    for url in &urls {
        reachable(url, Duration::from_secs(args.wait)).await?;
    }
    let name = [args.drive.as_deref(), args.webhook.as_deref()];
    let name: Vec<String> = name.into_iter().flatten().map(public).collect();
    // NOTE: random, because the subject may have seen an earlier run.
    let mut plan = Plan::new(name.join(" and "), format!("{:08x}", fastrand::u32(..)));
    plan.driver = driver;
    plan.webhook.clone_from(&args.webhook);
    Ok(Subject {
        plan,
        _running: None,
    })
}

fn web_address(text: &str, option: &str) -> Result<Url, Failure> {
    let url = Url::parse(text)
        .with_context(|| format!("{option} {text}"))
        .map_err(Failure::usage)?;
    if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() {
        return Ok(url);
    }
    Err(Failure::usage(anyhow::anyhow!(
        "{option} {text} is no http URL"
    )))
}

/// A URL without what may be a secret in it, for the report, which is passed on.
fn public(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return text.to_owned();
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return text.to_owned();
    }
    // Refused only where there is no host.
    let _ = (url.set_username(""), url.set_password(None));
    let query = url.query().map(|_| "...");
    url.set_query(query);
    url.set_fragment(None);
    url.to_string()
}

/// Tells the integrator what to start the subject with.
fn tell(args: &Check, environment: &[(String, String)]) -> std::io::Result<()> {
    let mut err = anstream::stderr();
    writeln!(err, "Start your integration with this environment:\n")?;
    write!(err, "{}", exports(environment))?;
    writeln!(err)?;
    if args.port == 0 {
        writeln!(
            err,
            "(--port N keeps the base URL the same from run to run)\n"
        )?;
    }
    Ok(())
}

/// Shell lines that set the environment. No value needs quoting.
pub(crate) fn exports(environment: &[(String, String)]) -> String {
    environment
        .iter()
        .map(|(name, value)| format!("export {name}={value}\n"))
        .collect()
}

/// Waits until something listens there.
async fn reachable(url: &Url, wait: Duration) -> Result<(), Failure> {
    let host = url
        .host_str()
        .unwrap_or_default()
        .trim_matches(['[', ']'])
        .to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let deadline = Instant::now() + wait;
    loop {
        // A host that answers nothing at all must not outlast the wait.
        let last = deadline.max(Instant::now() + LOOK);
        let connected = timeout_at(last, TcpStream::connect((host.as_str(), port))).await;
        match connected.unwrap_or_else(|late| Err(late.into())) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() >= deadline => {
                let seconds = wait.as_secs();
                return Err(Failure::environment(anyhow::anyhow!(
                    "nothing listened at {host}:{port} within {seconds} s: {error}"
                )));
            }
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

fn print(report: &Report, json: Option<&Path>) -> Result<(), Failure> {
    let to_stdout = json == Some(Path::new("-"));
    if !to_stdout {
        let mut out = anstream::stdout();
        terminal::write(report, &mut out)?;
        out.flush()?;
    }
    let Some(path) = json else { return Ok(()) };
    let mut text = report.to_json().map_err(Failure::environment)?;
    text.push('\n');
    if to_stdout {
        std::io::stdout().write_all(text.as_bytes())?;
    } else {
        std::fs::write(path, text)
            .with_context(|| format!("cannot write {}", path.display()))
            .map_err(Failure::usage)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_named_without_the_secrets_of_its_urls() {
        for (url, shown) in [
            ("http://u:pw@h:1/hooks?t=s#f", "http://h:1/hooks?..."),
            ("http://127.0.0.1:8080/w", "http://127.0.0.1:8080/w"),
            ("python3 drive.py", "python3 drive.py"),
        ] {
            assert_eq!(public(url), shown);
        }
    }
}
