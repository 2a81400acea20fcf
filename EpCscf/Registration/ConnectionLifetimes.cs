namespace WebRtcIms.EpCscf.Registration;

/// <summary>How long connections, and bindings without one, stay.</summary>
internal static class ConnectionLifetimes
{
    /// <summary>A binding outlives its connection by this time, so that the page can come back.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);

    /// <summary>A connection outlives its registration by this time. A call whose token could not be renewed can still be ended.</summary>
    public static readonly TimeSpan AfterExpiry = TimeSpan.FromHours(1);

    /// <summary>A connection that does not register is closed after this time.</summary>
    public static readonly TimeSpan UntilRegistered = TimeSpan.FromSeconds(5);

    /// <summary>How often it is checked that a connection is still registered.</summary>
    public static readonly TimeSpan Check = TimeSpan.FromSeconds(30);

    /// <summary>The interval of WebSocket pings, and how long the server waits for a pong.</summary>
    public static readonly TimeSpan Ping = TimeSpan.FromSeconds(20);

    /// <summary>A client that does not read one message within this time is disconnected.</summary>
    public static readonly TimeSpan Send = TimeSpan.FromSeconds(20);

    /// <summary>How long the server waits for the client's side of the closing handshake.</summary>
    public static readonly TimeSpan Close = TimeSpan.FromSeconds(2);
}
