package household

// ValidEmail is validEmail.
var ValidEmail = validEmail
