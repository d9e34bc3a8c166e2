//! Connections on executors of their own (`client.cores`), the replica on its own.

use super::signals::StopRequest;
use super::{First, Plan, ServerFailed, established, halt, spawn, until_first, until_stopped};
use crate::executor::clock::Clock;
use crate::spread::{Exchange, Hub, Outpost, Posting};
use crate::storage::Recovered;
use crate::turn::Halted;
use ringkeeper_core::frontend::FrontendConfig;
use ringkeeper_core::replica::Replica;
use ringkeeper_net::{Service, Sockets, SocketsConfig};
use std::net::TcpListener;
use std::rc::Rc;

pub(super) async fn serve(
    plan: Plan,
    recovered: Recovered,
    stop: StopRequest,
    clock: Clock,
) -> Result<(), ServerFailed> {
    let start = |what| move |source| ServerFailed::Start { what, source };
    let replica = Replica::new(plan.replica, recovered.epochs, &recovered.tree, recovered.replayed);
    let exchange = Exchange::new(u8::try_from(plan.client_cores).unwrap_or(u8::MAX));
    let hub = Rc::new(Hub::new(replica, recovered.tree, recovered.log, plan.words, clock, exchange));
    let turns = glommio::spawn_local(Rc::clone(&hub).run());
    let log = glommio::spawn_local(Rc::clone(&hub).watch_log());
    let office = glommio::spawn_local(Rc::clone(&hub).watch_office());
    let serving = async {
        established(|| hub.is_serving()).await;
        let mut executors = Vec::new();
        for posting in hub.postings() {
            let (frontend, sockets) = (plan.frontend.clone(), plan.sockets.clone());
            let listener = plan.listener.try_clone().map_err(start("the listening socket"))?;
            let (name, stop) = (format!("client-{}", posting.index), stop.clone());
            executors.push(spawn(&name, move || serve_clients(posting, frontend, sockets, listener, stop, clock))?);
        }
        drop(plan.listener);
        tracing::info!(client_executors = executors.len(), "serving");
        until_stopped(stop, || hub.tick(), || {}, || hub.has_stopped()).await;
        Ok::<_, ServerFailed>(executors)
    };
    let executors = match until_first(turns, serving).await {
        First::Left(Halted(reason)) => halt(&reason),
        First::Right(executors) => executors?,
    };
    for executor in executors {
        // They have left already, or their grace is over at the same time as the replica's.
        executor.join().map_err(|error| ServerFailed::Executor(error.to_string()))??;
    }
    log.cancel().await;
    office.cancel().await;
    let log = hub.take_log().expect("the log is closed once");
    log.close(|| clock.now()).await?;
    tracing::info!("stopped");
    Ok(())
}

/// A client executor's life.
async fn serve_clients(
    posting: Posting,
    frontend: FrontendConfig,
    sockets: SocketsConfig,
    listener: TcpListener,
    stop: StopRequest,
    clock: Clock,
) -> Result<(), ServerFailed> {
    let start = |what| move |source| ServerFailed::Start { what, source };
    let outpost = Outpost::new(posting, frontend, clock);
    let sockets = Sockets::new(sockets, Rc::clone(&outpost) as Rc<dyn Service>).map_err(start("an epoll set"))?;
    sockets.accept_from(listener).map_err(start("the listening socket"))?;
    let turns = glommio::spawn_local(Rc::clone(&outpost).run(Rc::clone(&sockets)));
    let post = glommio::spawn_local(Rc::clone(&outpost).watch_post());
    let reading = glommio::spawn_local(Rc::clone(&sockets).run());
    until_stopped(stop, || outpost.tick(&sockets), || outpost.begin_stop(&sockets), || outpost.has_stopped(&sockets))
        .await;
    outpost.leave();
    turns.cancel().await;
    post.cancel().await;
    reading.cancel().await;
    Ok(())
}
