namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Removes the query from every span. The 3GPP form of the token request carries the client's password in it
/// (TS 33.203 X.5.3.2 step 4), and Aspire switches the instrumentations' own redaction off in Development.
/// </summary>
internal sealed class QueryRedactionProcessor : BaseProcessor<Activity>
{
    private static readonly string[] UrlTags = ["url.full", "http.url", "http.target"];

    public override void OnEnd(Activity data)
    {
        if (data.GetTagItem("url.query") is not null) data.SetTag("url.query", null);
        foreach (var tag in UrlTags)
        {
            if (data.GetTagItem(tag) is string url && url.IndexOf('?', StringComparison.Ordinal) is >= 0 and var query)
                data.SetTag(tag, url[..query]);
        }
    }
}
