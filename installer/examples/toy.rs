//! A second product under the toolkit, whole: `toyd`, a service with a protected child.
//!
//! `toy install DIR VERSION` installs an unpacked release. `toy update` moves to the newest one of
//! the source in `/etc/toy/config.toml` that a key in `/etc/toy/keys.d` signed. `toy rescue` is run
//! by the rescue unit.
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;
use std::sync::atomic::AtomicBool;

use banger_installer::effect::{Answer, BoxError, Health, HostProcesses, ProtectedProcesses};
use banger_installer::model::{
    Owner, Product, ProductBuilder, ProtectedProcess, UnitName, UnitSpec, Version,
};
use banger_installer::plan::Decision;
use banger_installer::toolkit::{
    HostSide, InstallRequest, Outcome, ReleaseFolder, RescueLimits, Silent, rescue,
};
use banger_installer::{Session, Updater, in_one_line, unit::Values};

struct Toy;

impl ProtectedProcesses for Toy {
    fn list(&self) -> Result<Vec<ProtectedProcess>, BoxError> {
        let Ok(pid) = std::fs::read_to_string("/var/lib/toy/child") else {
            return Ok(Vec::new());
        };
        let child = HostProcesses.protected("child", "child", pid.trim().parse()?);
        Ok(child.into_iter().collect())
    }
}

impl Health for Toy {
    fn probe(&self, _unit: &UnitName) -> Result<Answer, BoxError> {
        let said = std::fs::read_to_string("/run/toy/version")?;
        Ok(said.trim().parse::<Version>()?.into())
    }
}

fn product() -> Result<Product, Box<dyn Error>> {
    let unit = |name: &str| name.parse().map(UnitSpec::new);
    Ok(ProductBuilder::new("toy", "any")
        .program("toyd")
        .unit(unit("toy.slice")?)
        .unit(unit("toy-rescue.service")?.enabled())
        .unit(unit("toyd.service")?.enabled().stateful())
        .slice("toy.slice".parse()?)
        .scope_prefix("toy-child-")
        .rescue("toy-rescue.service".parse()?)
        .build()?)
}

fn run(words: &[&str]) -> Result<(), Box<dyn Error>> {
    let values = Values::new().with("programs", "/usr/local/bin");
    let (product, side, interrupt) = (product()?, HostSide::connect()?, AtomicBool::new(false));
    let (effects, mut silent) = (side.effects(&Toy, &Toy, &interrupt), Silent);
    if words == ["rescue"] {
        let limits = RescueLimits::default();
        rescue(&product, effects, &mut silent, &|_| values.clone(), &limits)?;
        return Ok(());
    }
    let mut session = Session::begin(&product, effects, &mut silent)?;
    let outcome = if let ["install", folder, version] = words {
        let owner = Owner::new("nobody", 65534, 65534, "/");
        let release = ReleaseFolder::new(folder, version.parse()?);
        session.install(&InstallRequest::new(owner, release, values))?
    } else {
        let candidate = Updater::new(&product).check(&session)?;
        if *candidate.decision() != Decision::Take {
            println!("not taken: {:?}", candidate.decision());
            return Ok(());
        }
        let staged = candidate.download(session.planner(), &mut ())?;
        let prepared = session.planner().plan(&staged, values, false)?;
        print!("{}", prepared.preview().plan);
        prepared.execute(&mut session)?
    };
    println!("changed: {}", matches!(outcome, Outcome::Changed(_)));
    Ok(())
}

fn main() -> Result<(), String> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    run(&words).map_err(|error| in_one_line(&*error))
}
