package medical

import "ribambelle/internal/civil"

// Validate is validate.
func (v *Sheet) Validate(today civil.Date) error { return v.validate(today) }
