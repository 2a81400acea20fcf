using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Log records on the console, in the layout of .NET's simple formatter. It escapes the control characters of a message, so that no value in
/// it looks like another record or changes the terminal. <c>Logging:Console:FormatterName</c> can name another formatter.
/// </summary>
public sealed class ConsoleLines() : ConsoleFormatter(FormatterName)
{
    private const string FormatterName = "lines";
    private const string Indentation = "      ";
    private static readonly string[] Levels = ["trce", "dbug", "info", "warn", "fail", "crit"];

    public static void AddTo(IHostApplicationBuilder builder)
    {
        builder.Logging.AddConsoleFormatter<ConsoleLines, ConsoleFormatterOptions>();
        if (builder.Configuration["Logging:Console:FormatterName"] is null)
            builder.Services.Configure<ConsoleLoggerOptions>(console => console.FormatterName = FormatterName);
    }

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        textWriter.WriteLine($"{Levels[(int)logEntry.LogLevel]}: {logEntry.Category}[{logEntry.EventId.Id}]");
        textWriter.WriteLine(Indentation + Escape(logEntry.Formatter(logEntry.State, logEntry.Exception)));
        // The lines of a stack trace. The message of an exception may have values also.
        foreach (var line in (logEntry.Exception?.ToString() ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries))
            textWriter.WriteLine(Indentation + Escape(line.TrimEnd('\r')));
    }

    private static string Escape(string text)
    {
        if (!text.Any(IsUnsafe)) return text;
        var escaped = new StringBuilder(text.Length + 16);
        foreach (var c in text)
        {
            if (IsUnsafe(c)) escaped.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else escaped.Append(c);
        }

        return escaped.ToString();
    }

    // Formats change the direction of the text. U+2028 and U+2029 end a line for some readers.
    private static bool IsUnsafe(char c) => c != '\t' && char.GetUnicodeCategory(c)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;
}
