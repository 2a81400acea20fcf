namespace WebRtcIms.ServiceDefaults;

/// <summary>Writes a health report as <c>{"status":"Degraded","checks":{"redis":"Degraded: no connection"}}</c>.</summary>
internal static class HealthReportWriter
{
    public static Task WriteAsync(HttpContext context, HealthReport report) =>
        context.Response.WriteAsJsonAsync(new
        {
            status = report.Status.ToString(),
            checks = report.Entries.ToDictionary(
                entry => entry.Key,
                entry => (entry.Value.Description ?? entry.Value.Exception?.GetType().Name) is { } text
                ? $"{entry.Value.Status}: {text}" : entry.Value.Status.ToString()),
        });
}
