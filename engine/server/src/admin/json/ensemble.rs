//! Who leads, who follows, who votes.

use super::{Asked, Fields, fields};
use crate::config::{Ensemble, Member};
use crate::four_letter::Snapshot;
use ringkeeper_core::zab::RoleChange;
use serde_json::{Map, Value, json};

pub(in crate::admin) fn leader(asked: &Asked<'_>) -> Fields {
    let server = asked.server;
    let Some(ensemble) = &server.ensemble else { return Err("server is not initialized".to_owned()) };
    let id = match server.role {
        Some(RoleChange::Leading { .. }) => Some(ensemble.id),
        Some(RoleChange::Following { leader, .. }) => Some(leader.0),
        Some(RoleChange::Looking) | None => None,
    };
    let host = id.and_then(|id| ensemble.members.iter().find(|member| member.id == id)).and_then(|m| m.peer.first());
    fields(json!({
        "is_leader": matches!(server.role, Some(RoleChange::Leading { .. })),
        "leader_id": id.map_or(-1, i64::from),
        "leader_ip": host.map_or("", |(host, _)| host),
    }))
}

/// Observers follow the leader alone, so only it has some.
pub(in crate::admin) fn observers(asked: &Asked<'_>) -> Fields {
    let server = asked.server;
    let observers = server.learners.iter().filter(|learner| !learner.status.votes);
    let all: Vec<Value> = observers
        .clone()
        .map(|learner| {
            let id = learner.status.id.0;
            json!({
                "sid": id,
                "remote_socket_address": server.ensemble.as_deref().map_or(Value::Null, |e| address_of(e, id)),
                "last_zxid": format!("0x{:x}", learner.status.acked.0),
                "synced": learner.status.up_to_date,
            })
        })
        .collect();
    fields(json!({
        "synced_observers": observers.filter(|learner| learner.status.up_to_date).count(),
        "observers": all,
    }))
}

fn address_of(ensemble: &Ensemble, id: u8) -> Value {
    ensemble.members.iter().find(|member| member.id == id).map_or(Value::Null, |member| member.peer_text().into())
}

pub(in crate::admin) fn voting_view(asked: &Asked<'_>) -> Fields {
    let server = asked.server;
    let members = server.ensemble.iter().flat_map(|ensemble| ensemble.members.iter().filter(|member| member.votes));
    let view: Map<String, Value> =
        members.map(|member| (member.id.to_string(), member_fields(server, member))).collect();
    fields(json!({"current_config": view}))
}

fn elections(member: &Member) -> impl Iterator<Item = (&str, u16)> {
    member.peer.iter().zip(&member.elections).map(|((host, _), port)| (host.as_str(), *port))
}

fn member_fields(server: &Snapshot, member: &Member) -> Value {
    let addresses: Vec<String> = member.peer.iter().map(|(host, port)| text(host, *port)).collect();
    let elections: Vec<String> = elections(member).map(|(host, port)| text(host, port)).collect();
    json!({
        "server_addresses": addresses,
        "election_addresses": elections,
        "client_address": client_address(server, member),
        "learner_type": if member.votes { "participant" } else { "observer" },
    })
}

/// That of this server is known, those of others if the lines tell.
fn client_address(server: &Snapshot, member: &Member) -> String {
    let named = member.client.as_ref().map(|client| text(client.host.as_deref().unwrap_or("0.0.0.0"), client.port));
    let own = server.client_port.filter(|_| member.id == server.server_id).map(|port| {
        let host = server.settings.text(&crate::config::table::CLIENT_PORT_ADDRESS);
        text(host.unwrap_or("0.0.0.0"), port)
    });
    own.or(named).unwrap_or_default()
}

fn text(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

pub(in crate::admin) fn zab_state(asked: &Asked<'_>) -> Fields {
    let server = asked.server;
    let Some(ensemble) = &server.ensemble else { return fields(json!({"voting": false, "zabstate": ""})) };
    let me = ensemble.me();
    let state = if server.serving { "broadcast" } else { "election" };
    fields(json!({
        "myid": ensemble.id,
        "is_leader": matches!(server.role, Some(RoleChange::Leading { .. })),
        "quorum_address": addresses(me.peer.iter().map(|(host, port)| (host.as_str(), *port))),
        "election_address": addresses(elections(me)),
        "client_address": client_address(server, me),
        "voting": me.votes,
        "last_zxid": server.zxid.to_string(),
        "zab_epoch": server.zxid.epoch().0,
        "zab_counter": server.zxid.counter(),
        "zabstate": state,
    }))
}

/// An address that can be several, with all that ZooKeeper tells of it, as far as nobody has to be asked.
fn addresses<'a>(all: impl Iterator<Item = (&'a str, u16)>) -> Value {
    let all: Vec<(&str, u16)> = all.collect();
    let texts: Vec<String> = all.iter().map(|(host, port)| text(host, *port)).collect();
    json!({
        "empty": all.is_empty(),
        "all_addresses": texts,
        "all_ports": all.iter().map(|(_, port)| *port).collect::<Vec<_>>(),
        "all_host_strings": all.iter().map(|(host, _)| *host).collect::<Vec<_>>(),
        "one": texts.first(),
        "wildcard_addresses": all.iter().map(|(_, port)| format!("0.0.0.0:{port}")).collect::<Vec<_>>(),
    })
}
