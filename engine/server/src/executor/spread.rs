//! Connections on executors of their own (`client.cores`), the replica on its own.

use super::signals::StopRequest;
use super::{First, Plan, ServerFailed, established, halt, notify, spawn, until_first, until_stopped};
use crate::admin::Progress;
use crate::executor::clock::Clock;
use crate::spread::{Hub, Outpost, Posting};
use crate::turn::Peers;
use glommio::ExecutorJoinHandle;
use ringkeeper_core::frontend::FrontendConfig;
use ringkeeper_core::replica::Replica;
use ringkeeper_net::{Handover, Listening, Service, Sockets, SocketsConfig};
use ringkeeper_node::{Clock as _, Halted, Recovered};
use ringkeeper_txnlog::Log;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

pub(super) async fn serve(
    plan: Plan,
    (recovered, log): (Recovered, Log),
    stop: StopRequest,
    clock: Clock,
) -> Result<(), ServerFailed> {
    let replica =
        Replica::new(plan.replica, recovered.epochs, &recovered.tree, recovered.tail, recovered.summary.frames);
    let hub = Rc::new(Hub::new(replica, recovered.tree, log, plan.words, clock, plan.exchange));
    let start = |what| move |source| ServerFailed::Start { what, source };
    let peers = plan.links.map(|links| Peers::new(links, hub.due())).transpose().map_err(start("links to peers"))?;
    let in_ensemble = peers.is_some();
    if let Some(peers) = &peers {
        hub.link(peers.clone());
        glommio::spawn_local(peers.clone().run()).detach();
    }
    let turns = glommio::spawn_local(Rc::clone(&hub).run());
    let log = glommio::spawn_local(Rc::clone(&hub).watch_log());
    let office = glommio::spawn_local(Rc::clone(&hub).watch_office());
    let serving = async {
        if !established(&stop, in_ensemble, || hub.is_serving(), || hub.tick()).await {
            return Ok(Vec::new());
        }
        let first = (plan.listeners, plan.admin);
        let executors = start_clients(hub.postings(), &plan.frontend, &plan.sockets, first, &stop, clock)?;
        tracing::info!(client_executors = executors.len(), "serving");
        notify::serving();
        until_stopped(stop, || hub.tick(), || hub.begin_stop(), || hub.has_stopped()).await;
        Ok::<_, ServerFailed>(executors)
    };
    let executors = match until_first(turns, serving).await {
        First::Left(Halted(reason)) => halt(&reason),
        First::Right(executors) => executors?,
    };
    for executor in executors {
        // They have left already, or their grace is over at the same time as the replica's.
        executor.join().map_err(|error| ServerFailed::Executor(error.to_string()))?;
    }
    if let Some(peers) = peers {
        peers.stop();
    }
    log.cancel().await;
    office.cancel().await;
    let log = hub.take_log().expect("the log is closed once");
    log.close(|| clock.now()).await?;
    tracing::info!("stopped");
    Ok(())
}

/// Starts the client executors. The first accepts connections, and deals them out to the others too; to it goes what the
/// admin server asks for.
fn start_clients(
    postings: Vec<Posting>,
    frontend: &FrontendConfig,
    sockets: &SocketsConfig,
    (listeners, admin): (Vec<Listening>, Arc<Progress>),
    stop: &StopRequest,
    clock: Clock,
) -> Result<Vec<ExecutorJoinHandle<()>>, ServerFailed> {
    let (tell, told) = channel();
    let mut executors = Vec::new();
    let mut start = |posting: Posting, source| {
        let (frontend, sockets, stop) = (frontend.clone(), sockets.clone(), stop.clone());
        let name = format!("client-{}", posting.index);
        let executor = spawn(&name, move || async move {
            if let Err(error) = serve_clients(posting, frontend, sockets, source, stop, clock).await {
                // The others must not go on without it.
                halt(&error.to_string());
            }
        })?;
        executors.push(executor);
        Ok::<_, ServerFailed>(())
    };
    let mut postings = postings.into_iter();
    let first = postings.next().expect("there is at least one client executor");
    postings.try_for_each(|posting| start(posting, Source::HandedOver(tell.clone())))?;
    drop(tell);
    let others = told.iter().collect();
    start(first, Source::Accepted(listeners, others, admin))?;
    Ok(executors)
}

/// Where a client executor's connections come from.
enum Source {
    /// It accepts them, and deals them out to these others and itself.
    Accepted(Vec<Listening>, Vec<Arc<Handover>>, Arc<Progress>),
    /// Another one accepts them, and is told where to hand them over.
    HandedOver(Sender<Arc<Handover>>),
}

/// A client executor's life.
async fn serve_clients(
    posting: Posting,
    frontend: FrontendConfig,
    sockets: SocketsConfig,
    source: Source,
    stop: StopRequest,
    clock: Clock,
) -> Result<(), ServerFailed> {
    let start = |what| move |source| ServerFailed::Start { what, source };
    let outpost = Outpost::new(posting, frontend, clock);
    let sockets = Sockets::new(sockets, Rc::clone(&outpost) as Rc<dyn Service>).map_err(start("an epoll set"))?;
    let turns = glommio::spawn_local(Rc::clone(&outpost).run(Rc::clone(&sockets)));
    let post = glommio::spawn_local(Rc::clone(&outpost).watch_post());
    let reading = glommio::spawn_local(Rc::clone(&sockets).run());
    match source {
        Source::Accepted(listeners, others, admin) => {
            sockets.accept_from(listeners, others).map_err(start("the listening sockets"))?;
            admin.started(sockets.handover());
        }
        Source::HandedOver(tell) => {
            let handover = sockets.handover();
            tell.send(handover).expect("the starter collects from all before it goes on");
        }
    }
    until_stopped(stop, || outpost.tick(&sockets), || outpost.begin_stop(&sockets), || outpost.has_stopped(&sockets))
        .await;
    outpost.leave();
    turns.cancel().await;
    post.cancel().await;
    reading.cancel().await;
    Ok(())
}
