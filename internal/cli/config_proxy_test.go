package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConfigOfTheRush(t *testing.T) {
	t.Parallel()
	lookup := func(vars map[string]string) func(string) (string, bool) {
		return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
	}
	c, err := loadConfig(lookup(nil))
	if err != nil || c.rushSlots() != 8 || len(c.proxies()) != 0 {
		t.Errorf("by default %d slots, proxies %v (%v)", c.rushSlots(), c.proxies(), err)
	}
	c, err = loadConfig(lookup(map[string]string{"RUSH_SLOTS": "20", "TRUSTED_PROXIES": "10.1.2.3/8, ::1,192.0.2.7"}))
	if err != nil || c.rushSlots() != 20 {
		t.Fatalf("%d slots (%v)", c.rushSlots(), err)
	}
	var got []string
	for _, p := range c.proxies() {
		got = append(got, p.String())
	}
	if diff := cmp.Diff([]string{"10.0.0.0/8", "::1/128", "192.0.2.7/32"}, got); diff != "" {
		t.Errorf("proxies (-want +got):\n%s", diff)
	}
	for name, value := range map[string]string{"RUSH_SLOTS": "0", "TRUSTED_PROXIES": "everybody"} {
		if _, err := loadConfig(lookup(map[string]string{name: value})); err == nil || !strings.HasPrefix(err.Error(), name+" must be") {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}
