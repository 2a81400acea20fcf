namespace WebRtcIms.ServiceDefaults.Admission;

internal enum ConnectionClass
{
    /// <summary>The client has proved nothing. The connection is the first to give way.</summary>
    Unauthenticated,

    /// <summary>A request is in flight. The connection gives way only if there is no unauthenticated one.</summary>
    Active,

    /// <summary>The client has proved who it is. The connection never gives way.</summary>
    Authenticated,

    /// <summary>The connection has ended, or has given way. It counts nowhere.</summary>
    Released,
}

/// <summary>An admitted connection. Disposing it releases its place, once, on whichever path the connection ends.</summary>
public sealed class AdmittedConnection : IDisposable
{
    private readonly ConnectionAdmission _admission;
    private readonly Action _giveWay;
    private readonly Lock _use = new();
    private int _requests;
    private int _webSockets;

    internal AdmittedConnection(ConnectionAdmission admission, string address, Action giveWay)
    {
        (_admission, _giveWay, Address) = (admission, giveWay, address);
        Place = new LinkedListNode<AdmittedConnection>(this);
        PlaceOfAddress = new LinkedListNode<AdmittedConnection>(this);
    }

    internal string Address { get; }

    /// <summary>Among all connections of its class.</summary>
    internal LinkedListNode<AdmittedConnection> Place { get; }

    /// <summary>Among those of its address.</summary>
    internal LinkedListNode<AdmittedConnection> PlaceOfAddress { get; }

    internal ConnectionClass Class { get; set; }

    /// <summary>The client has proved who it is. False if its address has too many such connections, or this one has given way.</summary>
    public bool TryAuthenticate() => _admission.TryChange(this, ConnectionClass.Authenticated);

    /// <summary>A request begins. False if its address has too many such connections, or this one has given way.</summary>
    public bool TryActivate() => _admission.TryChange(this, ConnectionClass.Active);

    /// <summary>The proof has expired, or the request is over. The connection may give way again, as the youngest.</summary>
    public void Demote() => _admission.Demote(this);

    /// <summary>A request begins. Several may be in flight over HTTP/2.</summary>
    public void BeginRequest()
    {
        lock (_use)
        {
            if (++_requests == 1) TryActivate();
        }
    }

    /// <summary>A request that has begun is now a WebSocket.</summary>
    public void AcceptWebSocket()
    {
        lock (_use)
        {
            if (++_webSockets == 1) TryAuthenticate();
        }
    }

    /// <summary>A request, or the WebSocket that it became, has ended.</summary>
    public void EndRequest(bool isWebSocket)
    {
        lock (_use)
        {
            _requests--;
            if (isWebSocket) _webSockets--;
            if (_webSockets > 0 || (_requests > 0 && !isWebSocket)) return;
            Demote();
            if (_requests > 0) TryActivate();
        }
    }

    public void Dispose() => _admission.Release(this);

    internal void GiveWay() => _giveWay();
}
