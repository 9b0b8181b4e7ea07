//! Streams as TCP would have them: what is kept, what is held back, and what the other end learns when, or never.

use std::future::Future;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::network::Stream;

use super::{Net, Way};
use crate::record::Ended;
use crate::scheduler::{Host, Still, World};

const STEPS: u64 = 1_000_000;
const PORT: u16 = 80;
const CUT: Way = Way {
    delay_us_min: 50,
    delay_us_max: 500,
    loss_per_mille: 0,
    cut: true,
};

/// A caller and a server, on machines of their own.
struct Street {
    world: World,
    net: Net,
    caller: Host,
    server: Host,
    /// Runs the test; no crash touches it.
    heaven: Host,
}

impl Street {
    fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let net = Net::new(&world, seed);
        let (caller, server, heaven) = (world.host(), world.host(), world.host());
        net.name(&server, "server");
        Self {
            world,
            net,
            caller,
            server,
            heaven,
        }
    }

    fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        self.world.block_on(STEPS, &self.heaven, work).unwrap()
    }

    fn address() -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))
    }

    /// Both ends of a new stream.
    fn meet(&self) -> (Stream, Stream) {
        let mut listener = self.net.of(&self.server).listen(Self::address()).unwrap();
        let calling = self.net.of(&self.caller).connect("server", PORT);
        self.run(async move {
            let near = calling.await.unwrap();
            (near, listener.accept().await.unwrap().0)
        })
    }
}

/// Reads once: how many bytes came, or how it failed; nothing if it waits for more than a minute.
async fn read(world: &World, stream: &mut Stream) -> Option<Result<usize, ErrorKind>> {
    let mut bytes = [0; 64 * 1024];
    let late = world.sleep(Duration::from_secs(60));
    tokio::select! {
        biased;
        count = stream.read(&mut bytes) => Some(count.map_err(|error| error.kind())),
        () = late => None,
    }
}

#[test]
fn bytes_arrive_in_order_and_after_a_while() {
    let street = Street::new(1);
    let lossy = Way {
        loss_per_mille: 300,
        ..Way::default()
    };
    street.net.usual(lossy);
    let (mut near, mut far) = street.meet();
    let begun = street.world.now();
    let got = street.run(async move {
        for number in 0..50_u8 {
            near.write_all(&[number]).await.unwrap();
        }
        drop(near);
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        got
    });
    assert_eq!(got, (0..50).collect::<Vec<u8>>());
    assert!(
        street.world.now() - begun >= super::AGAIN,
        "some were lost and sent again"
    );
}

#[test]
fn a_one_way_cut_holds_bytes_back_until_it_is_mended() {
    let street = Street::new(2);
    let (mut near, mut far) = street.meet();
    street.net.set(&street.caller, &street.server, CUT);
    let (world, net) = (street.world.clone(), street.net.clone());
    let (caller, server) = (street.caller.clone(), street.server.clone());
    street.run(async move {
        near.write_all(b"there").await.unwrap();
        far.write_all(b"back").await.unwrap();
        assert_eq!(
            read(&world, &mut near).await,
            Some(Ok(4)),
            "the other way is open"
        );
        assert_eq!(read(&world, &mut far).await, None, "nothing passes");
        net.set(&caller, &server, Way::default());
        assert_eq!(
            read(&world, &mut far).await,
            Some(Ok(5)),
            "what was held back comes"
        );
    });
}

#[test]
fn a_cut_way_lets_nobody_connect_and_a_mended_one_does() {
    let street = Street::new(3);
    let _listener = street
        .net
        .of(&street.server)
        .listen(Street::address())
        .unwrap();
    street.net.set(&street.server, &street.caller, CUT);
    let calling = street.net.of(&street.caller).connect("server", PORT);
    let refused = street.run(calling).map(drop).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TimedOut);
    street.net.heal();
    let calling = street.net.of(&street.caller).connect("server", PORT);
    assert!(street.run(calling).is_ok());
}

#[test]
fn a_killed_process_resets_its_streams() {
    let street = Street::new(4);
    let (mut near, far) = street.meet();
    let world = street.world.clone();
    street.server.end(Ended::Killed);
    drop(far);
    let heard = street.run(async move { read(&world, &mut near).await });
    assert_eq!(heard, Some(Err(ErrorKind::ConnectionReset)));
}

#[test]
fn a_machine_without_power_falls_silent_and_resets_once_it_is_back() {
    let street = Street::new(5);
    let (mut near, far) = street.meet();
    let (world, server) = (street.world.clone(), street.server.clone());
    server.end(Ended::PowerLost);
    drop(far);
    street.run(async move {
        assert_eq!(
            read(&world, &mut near).await,
            None,
            "half open: nobody says anything"
        );
        near.write_all(b"anybody").await.unwrap();
        assert_eq!(read(&world, &mut near).await, None);
        server.start();
        let broken = near.write_all(b"anybody").await.unwrap_err();
        assert_eq!(broken.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_reader_that_does_not_read_stops_its_writer() {
    let street = Street::new(6);
    let (mut near, mut far) = street.meet();
    let (world, tasks) = (street.world.clone(), street.caller.tasks());
    let street_world = street.world.clone();
    let (written, left) = street.run(async move {
        let mut written = tasks.spawn(async move {
            near.write_all(&[7; 100_000]).await.unwrap();
            near.shutdown().await.unwrap();
        });
        world.sleep(Duration::from_secs(600)).await;
        let before = written.over().is_some();
        let mut left = Vec::new();
        far.read_to_end(&mut left).await.unwrap();
        written.await.unwrap();
        (before, left.len())
    });
    assert!(!written, "it waited for ten minutes");
    assert_eq!(left, 100_000);
    assert!(street_world.now() < Duration::from_secs(601));
}

#[test]
fn an_end_is_heard_after_all_bytes() {
    let street = Street::new(7);
    let (mut near, mut far) = street.meet();
    let world = street.world.clone();
    street.run(async move {
        near.write_all(b"last words").await.unwrap();
        near.shutdown().await.unwrap();
        let mut heard = Vec::new();
        while let Some(Ok(count @ 1..)) = read(&world, &mut far).await {
            heard.push(count);
        }
        assert_eq!(heard.iter().sum::<usize>(), 10);
        far.write_all(b"yes").await.unwrap();
        assert_eq!(
            read(&world, &mut near).await,
            Some(Ok(3)),
            "the other half is open still"
        );
    });
}

#[test]
fn an_address_is_taken_while_its_run_lasts_and_free_after() {
    let street = Street::new(8);
    let of_first = street.net.of(&street.server);
    let listener = of_first.listen(Street::address()).unwrap();
    let taken = of_first.listen(Street::address()).map(drop).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    street.server.end(Ended::Killed);
    street.server.start();
    let _second = street
        .net
        .of(&street.server)
        .listen(Street::address())
        .unwrap();
    // What is left of the first does not take the address from the second.
    drop(listener);
    let calling = street.net.of(&street.caller).connect("server", PORT);
    assert!(street.run(calling).is_ok());
}

#[test]
fn nobody_answers_at_an_address_without_a_listener() {
    let street = Street::new(9);
    let calling = street.net.of(&street.caller).connect("server", PORT);
    let refused = street.run(calling).map(drop).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let calling = street.net.of(&street.caller).connect("elsewhere", PORT);
    assert_eq!(
        street.run(calling).map(drop).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn a_machine_in_the_dark_lets_callers_wait_until_they_give_up() {
    let street = Street::new(10);
    street.server.end(Ended::PowerLost);
    let calling = street.net.of(&street.caller).connect("server", PORT);
    let gone = street.run(calling).map(drop).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::TimedOut);
    assert_eq!(street.world.go_on(10, || false), Still::Dead);
}
