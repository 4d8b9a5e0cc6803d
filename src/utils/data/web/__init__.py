"""Links: fetching a picture without letting its address reach into this machine, and local serving."""
