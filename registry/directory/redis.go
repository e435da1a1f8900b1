package directory

import "time"

// DefaultClaimTTL is for how long a store keeps a claim that nobody refreshes.
const DefaultClaimTTL = 1800 * time.Second
