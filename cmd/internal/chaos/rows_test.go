package chaos

// rowsAtOnce is how many labs run at the same time: each waits most of the time.
const rowsAtOnce = 5
