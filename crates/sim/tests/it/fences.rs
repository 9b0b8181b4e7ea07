//! Faults are data, end when they are told to, and cannot be reached from what is shipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidegate_sim::disk::{Fault, FaultKind, FaultPlan};
use tidegate_sim::life::live;
use tidegate_sim::network::Way;
use tidegate_sim::plan::{Incident, LifePlan, Place, Size, Trouble};

use crate::plans::{Actor, act, calls, lived, ms, quiet, unheard};

/// Crates that are for simulations, tests and the house alone.
const NOT_SHIPPED: [&str; 1] = ["sim"];
/// Modules of `world` that break things.
const BREAKERS: [&str; 2] = ["world::faults", "world::mangle"];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn shipped() -> Vec<PathBuf> {
    let folders = fs::read_dir(crates()).unwrap();
    let folders = folders.map(|folder| folder.unwrap().path());
    folders
        .filter(|folder| folder.join("Cargo.toml").is_file())
        .filter(|folder| !NOT_SHIPPED.iter().any(|name| folder.ends_with(name)))
        .collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false => found.push(path),
        }
    }
}

/// B36: a safety mark at compile time. No crate that is shipped names `sim`, not even for its tests, and none of their
/// sources reaches for what breaks disks and bytes, but in tests.
#[test]
fn nothing_that_is_shipped_can_reach_a_fault() {
    let shipped = shipped();
    assert!(shipped.len() >= 10, "the crates are found: {shipped:?}");
    for folder in shipped {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let names_sim = manifest.lines().any(|line| line.starts_with("sim"));
        assert!(!names_sim, "{}", folder.display());
        let mut files = Vec::new();
        sources(&folder.join("src"), &mut files);
        for file in files {
            let name = file.to_string_lossy().into_owned();
            if !name.ends_with(".rs") || name.contains("/tests") || name.contains("/fuzz") {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            let product = text.split("#[cfg(test)]").next().unwrap();
            for line in product
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
            {
                let reaches = BREAKERS.iter().find(|module| line.contains(**module));
                assert_eq!(reaches, None, "{name}: {line}");
            }
        }
    }
}

/// B36: a fault plan is data: delay, errors and starvation are written down, read back, and taken apart.
#[test]
fn a_fault_plan_is_read_back_as_it_was_written_and_taken_apart() {
    let plan = FaultPlan {
        faults: vec![
            Fault {
                amount: 250,
                one_in: 4,
                ..Fault::during(FaultKind::SlowSync, 10..90)
            },
            Fault::once(FaultKind::SyncError, 120),
            Fault {
                files: "house".to_owned(),
                ..Fault::during(FaultKind::NoSpace, 200..260)
            },
        ],
    };
    let read: FaultPlan = plan.to_string().parse().unwrap();
    assert_eq!(read, plan);
    assert_eq!(read.without(1).faults.len(), 2);
    assert!(!read.breaks_promises());
}

/// B36: an injected delay honours cancellation. The way is slowed to half a second and cut for forty; who gives up is
/// free at that moment, and what was injected ends with its time.
#[test]
fn an_injected_delay_lets_go_of_those_who_give_up_and_ends_by_itself() {
    for seed in 1..=3 {
        let mut plan = quiet(seed, 5);
        let slow = Way {
            delay_us_min: 500_000,
            delay_us_max: 500_000,
            ..Way::default()
        };
        plan.incidents = vec![
            Incident {
                at: ms(10),
                what: Trouble::Rough(slow, ms(4_000)),
            },
            Incident {
                at: ms(5_000),
                what: Trouble::Cut(Place::Street, Place::Shop, ms(40_000)),
            },
        ];
        let lived = lived(
            &plan,
            vec![act(|market| async move {
                let mut buyer = Actor::buyer(&market, 100, "anna");
                let delayed = async |buyer: &mut Actor, at: Duration| {
                    let wait = at.saturating_sub(buyer.client.now());
                    buyer.wait(wait).await;
                    let before = buyer.client.now();
                    buyer.available().await;
                    buyer.client.now() - before
                };
                assert!(
                    delayed(&mut buyer, ms(1_000)).await >= ms(1_000),
                    "both ways"
                );
                let ask = buyer.order("given-up", &[1]);
                buyer.wait(ms(6_000) - buyer.client.now()).await;
                let before = buyer.client.now();
                let _ = buyer.client.ask(&ask, ms(1_500)).await;
                assert!(buyer.client.now() - before < ms(1_600), "it was let go");
                assert!(delayed(&mut buyer, ms(60_000)).await < ms(50), "it is over");
            })],
        );
        assert!(calls(&lived, "given-up").all(unheard), "seed {seed}");
    }
}

/// B36: a life with faults is a value: the same plan lives the same life, step by step.
#[test]
fn the_same_plan_of_faults_lives_the_same_life() {
    let size = Size {
        guests_max: 8,
        incidents_max: 4,
        span: Duration::from_secs(10),
    };
    for seed in [3, 8] {
        let plan = LifePlan::draw(seed, size);
        let (one, two) = (live(&plan).unwrap(), live(&plan).unwrap());
        assert_eq!(
            (one.trace, one.steps),
            (two.trace, two.steps),
            "seed {seed}"
        );
        assert_eq!(one.story, two.story, "seed {seed}");
    }
}
