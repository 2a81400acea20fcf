using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;
using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Sessions;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Waf;

namespace WebRtcIms.Wwsf.Stage;

/// <summary>What the TURN server said.</summary>
/// <param name="Kind">honest: the token as it was made; cheat; relabelled: another server's token under the kid of this one.</param>
/// <param name="Code">The number in ERROR-CODE; 200 for a success.</param>
/// <param name="Reason">The reason phrase, as the server wrote it.</param>
/// <param name="TookMs">From the first octet sent to the answer.</param>
/// <param name="AgeS">Seconds since the token arrived.</param>
internal sealed record Attempt(string Kind, int Code, string Reason, double TookMs, double AgeS);

/// <param name="Cheat">Its name.</param>
/// <param name="Attempts">In order.</param>
/// <param name="Kid">The kid of the token.</param>
/// <param name="Octets">The length of the token.</param>
/// <param name="Lifetime">In seconds.</param>
/// <param name="ChangedBit">The number of the changed bit, counted from the start of the token.</param>
internal sealed record CheatAnswer(
    string Cheat, IReadOnlyList<Attempt> Attempts, string Kid, int Octets, int Lifetime, int? ChangedBit = null);

/// <summary>Uses tokens of its own as a thief would, at the real TURN server.</summary>
internal sealed class Cheats(WwsfSettings settings, SessionRevocations revocations, TimeProvider time)
{
    private const string Bit = "bit";
    private const string Server = "server";
    private const string End = "end";
    private const string Key = "key";
    private const string Honest = "honest";
    private const string Cheat = "cheat";

    // Before it stand the length of the nonce and the nonce, which are not secret.
    private const int SealedFrom = 2 + AccessTokenKey.NonceLength;

    private static readonly TimeSpan ShortLife = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Margin = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    private readonly TurnUri _server = TurnUri.Parse(settings.TurnUris[0]);

    public IReadOnlyList<string> Names { get; } =
        settings.Stage.OtherTurnServerName is null ? [Bit, End, Key] : [Bit, Server, End, Key];

    /// <summary>Does it. A problem means that there was no token, or that the TURN server did not answer.</summary>
    public async Task<(CheatAnswer? Answer, Problem? Problem)> TryAsync(
        string cheat, WebSession session, WafClient waf, CancellationToken cancellationToken)
    {
        var (server, lifetime) = (cheat == Server ? settings.Stage.OtherTurnServerName : null, cheat == End ? ShortLife : (TimeSpan?)null);
        var (own, problem) = await GetTokenAsync(waf, session, server, lifetime, cancellationToken);
        if (own is not { } token) return (null, problem);
        var answer = new CheatAnswer(cheat, [], token.Kid, token.Octets.Length, (int)token.Lifetime.TotalSeconds);
        try
        {
            return (await TryAsync(answer, token, session, waf, cancellationToken), null);
        }
        catch (Exception error) when (error is TurnException
            || (error is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return (null, Problem.TurnUnreachable);
        }
    }

    private async Task<CheatAnswer> TryAsync(
        CheatAnswer answer, Token token, WebSession session, WafClient waf, CancellationToken cancel)
    {
        if (answer.Cheat == Server)
        {
            var elsewhere = await AllocateAsync(Cheat, token, cancel);
            var (here, _) = await GetTokenAsync(waf, session, null, null, cancel);
            if (here is null) return answer with { Attempts = [elsewhere] };
            return answer with { Attempts = [elsewhere, await AllocateAsync("relabelled", token with { Kid = here.Kid }, cancel)] };
        }

        var honest = await AllocateAsync(Honest, token, cancel);
        int? bit = answer.Cheat == Bit ? RandomNumberGenerator.GetInt32(8 * SealedFrom, 8 * token.Octets.Length) : null;
        if (answer.Cheat == End)
        {
            // The server accepts the token as long as clocks may differ (RFC 7635 §7).
            var left = token.Lifetime + AccessToken.ClockDelta + Margin - time.GetElapsedTime(token.Arrived);
            await Task.Delay(left > TimeSpan.Zero ? left : TimeSpan.Zero, time, cancel);
        }

        var stolen = answer.Cheat switch
        {
            Bit => token with { Octets = WithChanged(token.Octets, bit!.Value) },
            Key => token with { MacKey = RandomNumberGenerator.GetBytes(token.MacKey.Length) },
            _ => token,
        };
        return answer with { Attempts = [honest, await AllocateAsync(Cheat, stolen, cancel)], ChangedBit = bit };
    }

    private static byte[] WithChanged(byte[] token, int bit)
    {
        var changed = (byte[])token.Clone();
        changed[bit / 8] ^= (byte)(0x80 >> (bit % 8));
        return changed;
    }

    private async Task<Attempt> AllocateAsync(string kind, Token token, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(Limit);
        var age = time.GetElapsedTime(token.Arrived).TotalSeconds;
        await using var client = await TurnClient.ConnectAsync(_server, cancellationToken: limit.Token);
        var start = time.GetTimestamp();
        var (code, reason) = (200, "OK");
        try
        {
            await client.AllocateAsync(
                TurnCredential.AccessToken(token.Kid, token.Octets, token.MacKey), cancellationToken: limit.Token);
        }
        catch (TurnException refused) when (refused.Code != StunError.None)
        {
            (code, reason) = ((int)refused.Code, refused.Reason);
        }

        return new(kind, code, reason, time.GetElapsedTime(start).TotalMilliseconds, age);
    }

    private async Task<(Token? Token, Problem? Problem)> GetTokenAsync(
        WafClient waf, WebSession session, string? server, TimeSpan? lifetime, CancellationToken cancel)
    {
        var answer = await waf.RequestTurnTokenAsync(session, cancel, server, lifetime);
        if (answer.Token is not { } token) return (null, answer.Problem);
        var life = TimeSpan.FromSeconds(token.ExpiresIn);
        revocations.SetTurnTokenIssued(life);
        var (octets, macKey) = (Convert.FromBase64String(token.AccessToken!), Convert.FromBase64String(token.Key!));
        return (new(token.Kid!, octets, macKey, life, time.GetTimestamp()), null);
    }

    private sealed record Token(string Kid, byte[] Octets, byte[] MacKey, TimeSpan Lifetime, long Arrived)
    {
        public override string ToString() => "***";
    }
}
