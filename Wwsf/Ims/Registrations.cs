using WebRtcIms.Wwsf.Settings;

namespace WebRtcIms.Wwsf.Ims;

/// <summary>
/// Client of the eP-CSCF: asks whether a session is registered, and ends the registrations of an ended session. A user waits for
/// the result and the WWSF can continue without it, so the time limit is short and requests are not retried. The session is in the body,
/// because URLs are in logs and traces.
/// </summary>
internal sealed partial class Registrations(HttpClient http, WwsfSettings settings, TimeProvider time, ILogger<Registrations> logger)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(1);

    /// <summary>Also false if the eP-CSCF does not answer.</summary>
    public async Task<bool> IsActiveAsync(string sid, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(Limit, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            using var response = await PostAsync(SessionsToken.FindPath, new { sid }, limit.Token);
            return response is not null && await response.Content.ReadFromJsonAsync<SessionAnswer>(limit.Token) is { Registered: true };
        }
        catch (Exception error) when (IsFailure(error) && !cancellationToken.IsCancellationRequested)
        {
            LogUnavailable(error.GetType().Name);
            return false;
        }
    }

    /// <summary>Whether the eP-CSCF has ended the registrations of the session and no longer accepts its tokens.</summary>
    /// <param name="sid">The session.</param>
    /// <param name="until">When the last of its tokens has expired. The eP-CSCF remembers the session until then.</param>
    public async Task<bool> EndAsync(string sid, DateTimeOffset until)
    {
        // Not cancelled with the request: the user may close the page right after signing out.
        using var limit = new CancellationTokenSource(Limit, time);
        try
        {
            using var response = await PostAsync("sessions/end", new { sid, until }, limit.Token);
            return response is not null;
        }
        catch (Exception error) when (IsFailure(error))
        {
            LogUnavailable(error.GetType().Name);
            return false;
        }
    }

    /// <summary>Null if the eP-CSCF refuses the request.</summary>
    private async Task<HttpResponseMessage?> PostAsync<TBody>(string path, TBody body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(path, UriKind.Relative));
        request.Content = JsonContent.Create(body);
        if (settings.EpCscf.SessionsKey?.Reveal() is { } key)
            request.Headers.Authorization = new("Bearer", SessionsToken.Create(key, time.GetUtcNow()));
        var response = await http.SendAsync(request, cancellationToken);
        if (response.IsSuccessStatusCode) return response;
        response.Dispose();
        LogUnavailable($"HTTP {(int)response.StatusCode}");
        return null;
    }

    private static bool IsFailure(Exception error) => error is HttpRequestException or OperationCanceledException or JsonException;

    [LoggerMessage(1, LogLevel.Warning, "The eP-CSCF did not answer a request about a session: {Reason}.")]
    private partial void LogUnavailable(string reason);

    private sealed record SessionAnswer(bool Registered);
}
