using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Turn.Client.Transactions;

/// <summary>A pending request, and the check of its response.</summary>
internal sealed class Transaction(StunMethod method, TransactionId id, byte[] request, IntegrityKey? key)
{
    private readonly TaskCompletionSource<StunResponse> _response = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _forged;

    public TransactionId Id => id;

    public ReadOnlyMemory<byte> Request => request;

    public Task<StunResponse> Response => _response.Task;

    public void Fail(Exception error) => _response.TrySetException(error);

    /// <summary>
    /// Handles a response. One without valid integrity is ignored, so that an attacker on the path cannot end the transaction
    /// (RFC 8489 §9.2.5). Only 401 and 438 cannot have integrity.
    /// </summary>
    public void Handle(in StunMessageReader response)
    {
        if (response.Method != method) return;
        var isChallenge = response.Class == StunClass.ErrorResponse
            && response.ErrorCode is StunError.Unauthenticated or StunError.StaleNonce;
        if (key is not null && !isChallenge && !key.Verifies(response))
        {
            Interlocked.Increment(ref _forged);
            return;
        }

        // RFC 8489 §6.3.3: a response with an unknown comprehension-required attribute has failed.
        if (UnknownAttributes.FirstIn(response) is { } unknown)
            Fail(new TurnException($"The TURN server's answer to {method} has the unknown attribute 0x{(ushort)unknown:X4}"));
        else _response.TrySetResult(new StunResponse(response.Octets.ToArray()));
    }

    public TurnException TimedOut() => new(_forged == 0
        ? $"The TURN server did not answer {method}"
        : $"The TURN server's answers to {method} had no valid MESSAGE-INTEGRITY: the key is wrong, or an attacker forges answers");
}
