namespace WebRtcIms.Wwsf.Ims;

/// <summary>
/// Asks the eP-CSCF whether a session is registered, and tells it when a session has ended. Somebody waits for the answer and
/// the WWSF can go on without one, so it takes little time and is not repeated.
/// </summary>
internal sealed partial class Registrations(HttpClient http, ILogger<Registrations> logger)
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(1);

    /// <summary>False, too, when the eP-CSCF does not answer.</summary>
    public async Task<bool> IsActiveAsync(string sid, CancellationToken cancellationToken)
    {
        try
        {
            return await http.GetFromJsonAsync<SessionAnswer>($"sessions/{sid}", cancellationToken) is { Registered: true };
        }
        catch (Exception error) when (IsFailure(error) && !cancellationToken.IsCancellationRequested)
        {
            LogUnavailable(error.GetType().Name);
            return false;
        }
    }

    /// <summary>Whether the eP-CSCF has ended the registrations of the session and takes its tokens no more.</summary>
    public async Task<bool> EndAsync(string sid)
    {
        try
        {
            // Not bound to the request: who closes the page right after signing out is signed out all the same.
            using var response = await http.DeleteAsync(new Uri($"sessions/{sid}", UriKind.Relative), CancellationToken.None);
            if (response.IsSuccessStatusCode) return true;
            LogUnavailable($"HTTP {(int)response.StatusCode}");
        }
        catch (Exception error) when (IsFailure(error))
        {
            LogUnavailable(error.GetType().Name);
        }
        return false;
    }

    private static bool IsFailure(Exception error) => error is HttpRequestException or OperationCanceledException or System.Text.Json.JsonException;

    [LoggerMessage(1, LogLevel.Warning, "The eP-CSCF did not answer about a session: {Reason}.")]
    private partial void LogUnavailable(string reason);

    private sealed record SessionAnswer(bool Registered);
}
