using WebRtcIms.Stun.Integrity;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Client.Authentication;

/// <summary>
/// A key, and the HMAC that it is for. Requests are signed with it, and answers must carry the same kind (RFC 8489 §9.2.4).
/// </summary>
internal sealed class IntegrityKey(IntegrityAlgorithm algorithm, byte[] key)
{
    public void Sign(ref StunMessageWriter request)
    {
        if (algorithm == IntegrityAlgorithm.Sha256) request.AddMessageIntegritySha256(key);
        else request.AddMessageIntegrity(key);
    }

    public bool Verifies(in StunMessageReader response) => algorithm == IntegrityAlgorithm.Sha256
        ? response.VerifyMessageIntegritySha256(key)
        : response.VerifyMessageIntegrity(key);
}
