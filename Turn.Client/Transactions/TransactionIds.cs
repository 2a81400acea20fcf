using System.Security.Cryptography;

namespace WebRtcIms.Turn.Client.Transactions;

/// <summary>Unpredictable transaction ids, which protect responses without integrity (RFC 8489 §5).</summary>
internal static class TransactionIds
{
    public static TransactionId Next()
    {
        Span<byte> octets = stackalloc byte[TransactionId.Length];
        RandomNumberGenerator.Fill(octets);
        return new TransactionId(octets);
    }
}
