//! How much of the machine one command may take.
//!
//! Some are the kernel's (`setrlimit`, for each process), some are sums over all processes of the command, which the helper looks at a
//! few times a second. Time is not here: whoever runs a command gives it.

use serde::{Deserialize, Serialize};

/// Limits of one command and all its processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandLimits {
    /// Bytes of private memory of all processes together; also what one of them may map for writing.
    pub memory: u64,
    /// Processes and threads at once.
    pub processes: u32,
    /// Bytes of one file.
    pub file: u64,
    /// Open files of one process.
    pub open_files: u64,
    /// Processor seconds of one process.
    pub cpu_seconds: u64,
    /// Bytes that a command may add to the disk.
    pub disk: u64,
}

impl Default for CommandLimits {
    fn default() -> Self {
        Self { memory: 8 << 30, processes: 1024, file: 4 << 30, open_files: 4096, cpu_seconds: 3600, disk: 16 << 30 }
    }
}
