namespace WebRtcIms.ServiceDefaults.Admission;

internal enum ConnectionClass
{
    Unauthenticated,
    Authenticated,

    /// <summary>It has ended, or has given way. It counts nowhere.</summary>
    Released,
}

/// <summary>An admitted connection. Disposing it releases its place, once, on whichever path the connection ends.</summary>
public sealed class AdmittedConnection : IDisposable
{
    private readonly ConnectionAdmission _admission;
    private readonly Action _giveWay;

    internal AdmittedConnection(ConnectionAdmission admission, ConnectionAdmission.Address address, Action giveWay)
    {
        (_admission, _giveWay, Address) = (admission, giveWay, address);
        Place = new LinkedListNode<AdmittedConnection>(this);
    }

    internal ConnectionAdmission.Address Address { get; }

    internal LinkedListNode<AdmittedConnection> Place { get; }

    internal ConnectionClass Class { get; set; }

    /// <summary>The client has proved who it is. False if its address has too many such connections, or this one has given way.</summary>
    public bool TryAuthenticate() => _admission.TryAuthenticate(this);

    /// <summary>The proof has expired or was withdrawn: the connection may give way again.</summary>
    public void LoseAuthentication() => _admission.LoseAuthentication(this);

    public void Dispose() => _admission.Release(this);

    internal void GiveWay() => _giveWay();
}
