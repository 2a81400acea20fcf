using System.Security.Cryptography;
using WebRtcIms.EpCscf.Registration;

namespace WebRtcIms.EpCscf.Replicas;

/// <summary>What one replica has for another.</summary>
internal enum HandOverKind : byte
{
    /// <summary>A message for a binding that is connected there.</summary>
    Message = 1,

    /// <summary>The same, sent on by a replica that the binding has left: it is not sent on again.</summary>
    ForwardedMessage,

    /// <summary>An answer that a binding gave to a request of that replica.</summary>
    Response,

    /// <summary>A message that could not be delivered, back to who sent it.</summary>
    Undelivered,

    /// <summary>The binding has connected here; the octets name the connection there that it has left.</summary>
    Replaced,

    /// <summary>The binding has been removed by its page.</summary>
    Removed,

    /// <summary>The binding has gone for good.</summary>
    Lost,

    /// <summary>The session at the WWSF has ended.</summary>
    SignedOut,

    /// <summary>A CANCEL of the binding, whose INVITE is not at the sender.</summary>
    Cancel,

    /// <summary>The INVITE of that CANCEL was here, and is being cancelled.</summary>
    Cancelled,
}

/// <param name="Kind">What it is.</param>
/// <param name="Binding">Whom it is for, or from, or about.</param>
/// <param name="Octets">A SIP message as on the wire, where the kind has one.</param>
internal readonly record struct HandOver(HandOverKind Kind, BindingId Binding, ReadOnlyMemory<byte> Octets = default)
{
    /// <summary>May hold SDP.</summary>
    public override string ToString() => Kind.ToString();
}

/// <summary>The processes that serve the domain together: none beside this one, or those that share a Redis.</summary>
internal interface IReplicas
{
    /// <summary>This process, from its start to its end: 16 hexadecimal digits.</summary>
    string Self { get; }

    /// <summary>Whether it was there a moment ago; this process always is.</summary>
    ValueTask<bool> IsAliveAsync(string replica);

    /// <summary>Hands over in the order of the calls; false when it cannot have got it.</summary>
    Task<bool> SendAsync(string replica, HandOver handOver);

    /// <summary>Tells all others; false when there is none.</summary>
    bool SendToOthers(HandOver handOver);
}

/// <summary>This process is the only one.</summary>
internal sealed class NoReplicas : IReplicas
{
    public string Self { get; } = RandomNumberGenerator.GetHexString(16, lowercase: true);

    public ValueTask<bool> IsAliveAsync(string replica) => ValueTask.FromResult(replica == Self);

    public Task<bool> SendAsync(string replica, HandOver handOver) => Task.FromResult(false);

    public bool SendToOthers(HandOver handOver) => false;
}
