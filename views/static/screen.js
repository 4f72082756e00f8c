// Full-screen pages: the pointer goes away when nobody moves it.
