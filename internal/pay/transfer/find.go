package transfer

import "strings"

// Find returns the communication that someone wrote among other words: twelve digits with right check digits, with
// the marks people put between them. Found false means none, or several that differ.
func Find(text string) (c Communication, found bool) {
	for _, run := range runs(text) {
		one, err := Parse(run)
		if err != nil {
			continue
		}
		if found && one != c {
			return "", false
		}
		c, found = one, true
	}
	return c, found
}

// runs cuts a text into stretches of digits and of the marks that may stand between them, then into words: a run that
// is no communication as a whole may hold one beside another number.
func runs(text string) []string {
	var all []string
	for _, stretch := range strings.FieldsFunc(text, func(r rune) bool {
		return (r < '0' || r > '9') && !strings.ContainsRune("+*/-. ", r)
	}) {
		all = append(all, stretch)
		words := strings.Fields(stretch)
		for i := range words {
			for n := 1; n <= 3 && i+n <= len(words) && len(words) > 1; n++ {
				all = append(all, strings.Join(words[i:i+n], ""))
			}
		}
	}
	return all
}
