//! One executor does all: the way of small machines, where every hop to another thread costs more than it gains.

use super::signals::StopRequest;
use super::{First, Plan, ServerFailed, established, halt, notify, until_first, until_stopped};
use crate::executor::clock::Clock;
use crate::turn::{Peers, Turn};
use ringkeeper_core::replica::Replica;
use ringkeeper_net::{Service, Sockets};
use ringkeeper_node::{Clock as _, Halted, Recovered};
use ringkeeper_txnlog::Log;
use std::rc::Rc;

pub(super) async fn serve(
    plan: Plan,
    (recovered, log): (Recovered, Log),
    stop: StopRequest,
    clock: Clock,
) -> Result<(), ServerFailed> {
    let start = |what| move |source| ServerFailed::Start { what, source };
    let replica =
        Replica::new(plan.replica, recovered.epochs, &recovered.tree, recovered.tail, recovered.summary.frames);
    let turn = Rc::new(Turn::new(plan.frontend, replica, recovered.tree, log, plan.words, clock, plan.exchange));
    let sockets = Sockets::new(plan.sockets, Rc::clone(&turn) as Rc<dyn Service>).map_err(start("an epoll set"))?;

    let peers = plan.links.map(|links| Peers::new(links, turn.due())).transpose().map_err(start("links to peers"))?;
    let in_ensemble = peers.is_some();
    if let Some(peers) = &peers {
        turn.link(peers.clone());
        glommio::spawn_local(peers.clone().run()).detach();
    }
    let turns = glommio::spawn_local(Rc::clone(&turn).run(Rc::clone(&sockets)));
    let log = glommio::spawn_local(Rc::clone(&turn).watch_log());
    let office = glommio::spawn_local(Rc::clone(&turn).watch_office());
    let reading = glommio::spawn_local(Rc::clone(&sockets).run());
    let serving = async {
        if !established(&stop, in_ensemble, || turn.is_serving(), || turn.tick(&sockets)).await {
            return Ok(());
        }
        sockets.accept_from(plan.listeners, Vec::new()).map_err(start("the listening sockets"))?;
        plan.admin.started(sockets.handover());
        tracing::info!("serving");
        notify::serving();
        until_stopped(stop, || turn.tick(&sockets), || turn.begin_stop(&sockets), || turn.has_stopped(&sockets)).await;
        Ok::<_, ServerFailed>(())
    };
    match until_first(turns, serving).await {
        First::Left(Halted(reason)) => halt(&reason),
        First::Right(result) => result?,
    }
    if let Some(peers) = peers {
        peers.stop();
    }
    log.cancel().await;
    office.cancel().await;
    reading.cancel().await;
    let log = turn.take_log().expect("the log is closed once");
    log.close(|| clock.now()).await?;
    tracing::info!("stopped");
    Ok(())
}
