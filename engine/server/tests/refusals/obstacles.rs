//! What stands in a server's way beside its configuration.

use super::cases::Place;
use std::fs::Permissions;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Prepares a command that is about to be run.
pub type Obstacle = fn(&mut Command, &Place) -> io::Result<()>;

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

pub fn none(_: &mut Command, _: &Place) -> io::Result<()> {
    Ok(())
}

/// The data directory may be read and not written; the superuser is held to that too.
pub fn no_permission(command: &mut Command, place: &Place) -> io::Result<()> {
    const DAC_OVERRIDE: libc::c_ulong = 1;
    std::fs::create_dir(place.data())?;
    std::fs::set_permissions(place.data(), Permissions::from_mode(0o500))?;
    // SAFETY: only asks who runs this, and a system call between fork and exec.
    unsafe {
        if libc::geteuid() == 0 {
            command.pre_exec(|| check(libc::prctl(libc::PR_CAPBSET_DROP, DAC_OVERRIDE, 0, 0, 0)));
        }
    }
    Ok(())
}

/// The data directory is on a file system that is mounted for reading, as this process sees it.
pub fn read_only(command: &mut Command, place: &Place) -> io::Result<()> {
    std::fs::create_dir(place.data())?;
    let dir = std::ffi::CString::new(place.data().as_os_str().as_bytes())?;
    let mount = move |source: *const libc::c_char, target: *const libc::c_char, flags| {
        // SAFETY: strings that end in zero and live through the call.
        check(unsafe { libc::mount(source, target, std::ptr::null(), flags, std::ptr::null()) })
    };
    // SAFETY: system calls only between fork and exec; they concern a mount namespace of the new process.
    unsafe {
        command.pre_exec(move || {
            check(libc::unshare(libc::CLONE_NEWNS))?;
            mount(std::ptr::null(), c"/".as_ptr(), libc::MS_REC | libc::MS_PRIVATE)?;
            mount(dir.as_ptr(), dir.as_ptr(), libc::MS_BIND)?;
            mount(dir.as_ptr(), dir.as_ptr(), libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY)
        });
    }
    Ok(())
}

/// Hardly any memory may be locked.
pub fn little_locked_memory(command: &mut Command, _: &Place) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: 64 << 10, rlim_max: 64 << 10 };
    // SAFETY: a system call between fork and exec, on a valid rlimit.
    unsafe { command.pre_exec(move || check(libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit))) };
    Ok(())
}

/// The kernel answers io_uring_setup with EPERM, as the seccomp profiles of containers have it.
pub fn no_io_uring(command: &mut Command, _: &Place) -> io::Result<()> {
    // SAFETY: system calls only between fork and exec.
    unsafe { command.pre_exec(refuse_io_uring) };
    Ok(())
}

fn refuse_io_uring() -> io::Result<()> {
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let mut filter = [
        // The number of the system call is the first field of seccomp_data.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        libc::sock_filter {
            jf: 1,
            ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::SYS_io_uring_setup as u32)
        },
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: `program` and the filter that it points to live through the call.
    unsafe {
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        check(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program))
    }
}
