using System.Diagnostics.CodeAnalysis;
using WebRtcIms.Turn.Client.Protocol;
using WebRtcIms.Turn.Client.Transactions;

namespace WebRtcIms.Turn.Client.Authentication;

/// <summary>Writes the attributes of a request.</summary>
internal delegate void RequestBody(ref StunMessageWriter request);

/// <summary>
/// Sends requests with a credential and answers the challenges of the server (RFC 8489 §9.2.5). A 401 is answered once, because a
/// second one means that the credential is wrong. A 438 is answered with the new nonce.
/// </summary>
/// <remarks>
/// One request at a time. After a renewal the server knows only the new session key (RFC 7635 §9), so no request under the old
/// key may still be pending.
/// </remarks>
[SuppressMessage("Design", "CA1001", Justification = "A SemaphoreSlim without a wait handle has nothing to dispose.")]
internal sealed class TurnSession(TurnConnection connection, TurnCredential credential)
{
    // The longest user name, realm, nonce and token, and room for the other attributes.
    private const int RequestBufferLength = 4096;

    private readonly SemaphoreSlim _oneAtATime = new(1, 1);
    private TurnCredential _credential = credential;
    private Challenge? _challenge;

    /// <returns>The success response.</returns>
    /// <exception cref="TurnException">The server refused, or did not answer.</exception>
    public async Task<StunResponse> RequestAsync(StunMethod method, RequestBody body, CancellationToken cancel) =>
        await RequestAsync(method, body, renewed: null, cancel);

    /// <summary>Sends a request with a renewed credential, which the session keeps if the server accepts it.</summary>
    public async Task<StunResponse> RequestAsync(StunMethod method, RequestBody body, TurnCredential? renewed, CancellationToken cancel)
    {
        await _oneAtATime.WaitAsync(cancel);
        try
        {
            var credential = renewed ?? _credential;
            var response = await AttemptAsync(method, body, credential, cancel);
            if (response.Error == StunError.Unauthenticated && _challenge is null)
                response = await AnswerAsync(response, method, body, credential, cancel);
            if (response.Error == StunError.StaleNonce)
                response = await AnswerAsync(response, method, body, credential, cancel);
            if (response.Error != StunError.None) throw new TurnException(method, response.Error, response.Reason);

            _credential = credential;
            return response;
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    private Task<StunResponse> AnswerAsync(
        StunResponse challenge, StunMethod method, RequestBody body, TurnCredential credential, CancellationToken cancel)
    {
        _challenge = Challenge.Read(challenge.Message);

        // RFC 7635 §7: ACCESS-TOKEN is an unknown attribute to a server that did not offer it.
        if (credential.IsAccessToken && !_challenge.OffersTokens)
            throw new TurnException("The TURN server does not accept access tokens: its challenge has no THIRD-PARTY-AUTHORIZATION");
        return AttemptAsync(method, body, credential, cancel);
    }

    private Task<StunResponse> AttemptAsync(StunMethod method, RequestBody body, TurnCredential credential, CancellationToken cancel)
    {
        var id = TransactionIds.Next();
        var request = new StunMessageWriter(new byte[RequestBufferLength], method, StunClass.Request, id);
        body(ref request);
        var key = _challenge is { } challenge ? Sign(ref request, method, challenge, credential) : null;
        return connection.ExchangeAsync(new Transaction(method, id, request.Written.ToArray(), key), cancel);
    }

    private static IntegrityKey Sign(ref StunMessageWriter request, StunMethod method, Challenge challenge, TurnCredential credential)
    {
        request.Write(StunAttributeType.Username, credential.Username);
        request.Write(StunAttributeType.Realm, challenge.Realm);
        request.Write(StunAttributeType.Nonce, challenge.Nonce);
        if (!credential.IsAccessToken) challenge.WritePasswordAlgorithm(ref request);

        // RFC 7635 §9: only Allocate and Refresh carry the token.
        else if (method is StunMethod.Allocate or StunMethod.Refresh) request.Write(StunAttributeType.AccessToken, credential.Token);

        var key = CredentialKey.For(credential, challenge);
        key.Sign(ref request);
        return key;
    }
}
