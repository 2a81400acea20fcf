using WebRtcIms.ServiceDefaults;
using WebRtcIms.Turn;

// The TURN server of figure X.5.3.2-1: it decrypts tokens, checks that the client holds the session key, and relays.
return await ServiceHost.RunAsync(
    "TURN", args, builder => builder.AddTurn(), app =>
        app.UseTurn(), ports: "Turn:Port or Turn:TlsPort (TURN) or ASPNETCORE_URLS (management)", requiresHosts: false);
