//! A long list in pages.
//!
//! Guarantees: whoever asks for one page after the other sees every VM that was there all the time,
//! once, however many come and go meanwhile; a page has at most [`limits::VMS_PER_PAGE`] VMs.

use super::{ListVms, PageKey, VmList, VmSummary, limits};

/// The page of `vms` that was asked for, by name.
pub fn page(vms: Vec<VmSummary>, which: &ListVms) -> VmList {
    let mut keyed: Vec<(PageKey, VmSummary)> = vms
        .into_iter()
        .map(|vm| (PageKey::of(vm.id.as_ref(), vm.pid), vm))
        .filter(|(key, _)| which.after.as_ref().is_none_or(|after| key > after))
        .collect();
    keyed.sort_by(|one, other| one.0.cmp(&other.0));
    let more = keyed.len() > limits::VMS_PER_PAGE;
    keyed.truncate(limits::VMS_PER_PAGE);
    let next = keyed.last().filter(|_| more).map(|(key, _)| key.clone());
    let mut vms: Vec<VmSummary> = keyed.into_iter().map(|(_, vm)| vm).collect();
    vms.sort_by(|one, other| one.name.cmp(&other.name));
    VmList { vms, next }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{VmId, VmState};

    fn vm(name: String, id: Option<VmId>, pid: Option<u32>) -> VmSummary {
        VmSummary {
            name,
            id,
            state: VmState::Stopped,
            reason: Some("x".repeat(900)),
            pid,
            start_time: None,
            control_group: Some("g".repeat(90)),
            cpus: Some(32),
            memory_mib: Some(99_999),
            started: Some(jiff::Timestamp::MAX),
            ended: None,
        }
    }

    fn many(count: u32) -> Vec<VmSummary> {
        (0..count)
            .map(|number| {
                let id = VmId::from_random(u64::from(number).to_be_bytes());
                vm(format!("vm-{number:05}-{}", "n".repeat(50)), Some(id), None)
            })
            .chain([vm("ghost".into(), None, Some(77))])
            .collect()
    }

    #[test]
    fn ten_thousand_vms_come_in_pages_that_fit_a_reply_each_once() {
        let all = many(10_000);
        let (mut which, mut names, mut longest) = (ListVms::default(), Vec::new(), 0);
        loop {
            let list = page(all.clone(), &which);
            longest = longest.max(serde_json::to_vec(&list).unwrap().len());
            names.extend(list.vms.iter().map(|vm| vm.name.clone()));
            match list.next {
                Some(next) => which.after = Some(next),
                None => break,
            }
        }
        names.sort();
        let mut expected: Vec<String> = all.into_iter().map(|vm| vm.name).collect();
        expected.sort();
        assert_eq!(names, expected);
        assert!(longest < limits::REPLY / 2, "a page has {longest} bytes");
    }

    #[test]
    fn a_vm_that_goes_between_two_pages_hides_no_other() {
        let mut all = many(150);
        let first = page(all.clone(), &ListVms::default());
        let gone = first.vms.first().unwrap().name.clone();
        all.retain(|vm| vm.name != gone);
        let second = page(all, &ListVms { after: first.next });
        assert_eq!(first.vms.len() + second.vms.len(), 151);
    }

    #[test]
    fn a_place_that_no_page_named_is_refused() {
        for text in [r#""a b""#, r#""../x""#, &format!("\"{}\"", "a".repeat(33))] {
            assert!(serde_json::from_str::<PageKey>(text).is_err(), "{text}");
        }
    }
}
