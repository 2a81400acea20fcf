using WebRtcIms.EpCscf.Registration;

namespace WebRtcIms.EpCscf.Routing;

/// <summary>A dialogue between two bindings, from the request that may begin it.</summary>
/// <param name="Caller">The binding that sent the request.</param>
/// <param name="Callee">The binding that it went to.</param>
/// <param name="Id">Random, so that a repeated request begins another dialogue.</param>
internal sealed record Dialog(BindingId Caller, BindingId Callee, ulong Id)
{
    /// <summary>Whether a request outside of a dialogue can begin one: of a call (RFC 3261 §12) or a subscription (RFC 6665).</summary>
    public static bool CanBegin(string method) => method is "INVITE" or "SUBSCRIBE" or "REFER";

    public static Dialog Begin(BindingId caller, BindingId callee) =>
        new(caller, callee, BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))));
}
