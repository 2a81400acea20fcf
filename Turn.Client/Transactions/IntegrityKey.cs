namespace WebRtcIms.Turn.Client.Transactions;

/// <summary>A key and its HMAC. It signs requests, and answers must carry the same kind of integrity (RFC 8489 §9.2.4).</summary>
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
