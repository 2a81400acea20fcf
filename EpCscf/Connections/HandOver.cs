using WebRtcIms.EpCscf.Registration;

namespace WebRtcIms.EpCscf.Connections;

/// <summary>The kinds of hand-over between replicas.</summary>
internal enum HandOverKind : byte
{
    /// <summary>A message for a binding that is connected to the receiver.</summary>
    Message = 1,

    /// <summary>The same, forwarded by a replica that the binding has left. It is not forwarded again.</summary>
    ForwardedMessage,

    /// <summary>The response of a binding to a request of the receiver.</summary>
    Response,

    /// <summary>A message that could not be delivered, back to its sender.</summary>
    Undelivered,

    /// <summary>The binding has connected to the sender. The octets name its former connection at the receiver.</summary>
    Replaced,

    /// <summary>The page has removed the binding.</summary>
    Removed,

    /// <summary>The binding has gone for good.</summary>
    Lost,

    /// <summary>The session at the WWSF has ended.</summary>
    SignedOut,

    /// <summary>A CANCEL of the binding, whose INVITE is not at the sender.</summary>
    Cancel,

    /// <summary>The INVITE of that CANCEL is at the sender, and is being cancelled.</summary>
    Cancelled,

    /// <summary>A dialogue has ended for the binding. The octets name its route token.</summary>
    DialogEnded,

    /// <summary>The binding has another connection, at the sender. Its former replica has ended.</summary>
    Reconnected,

    /// <summary>The subscriber of the binding may have gone online or offline.</summary>
    OnlineChanged,
}

/// <param name="Kind">The kind.</param>
/// <param name="Binding">The binding that it is for, from or about.</param>
/// <param name="Octets">A SIP message as on the wire, if the kind has one.</param>
internal readonly record struct HandOver(HandOverKind Kind, BindingId Binding, ReadOnlyMemory<byte> Octets = default)
{
    /// <summary>Without the octets, which may hold SDP.</summary>
    public override string ToString() => Kind.ToString();
}
