//! A disk with everything that real disks do on bad days, drawn from a seed.
