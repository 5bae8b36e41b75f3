// To be imported before TensorFlow is. With oneDNN its own allocator keeps what it ever held, in pieces that fit ever less: a
// training step at full width takes a fifth more memory with it than with the system's (measured; the time is the same).
process.env.TF_ONEDNN_USE_SYSTEM_ALLOCATOR ??= '1'
