@echo off
rem Installs paddock: setup.ps1 in the words of the command prompt, whatever the policy for scripts says.
setlocal
rem By its whole path: another program of this name in the folder or in PATH is not meant.
set "PADDOCK_SHELL=%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe"
if not exist "%PADDOCK_SHELL%" set "PADDOCK_SHELL=powershell.exe"
"%PADDOCK_SHELL%" -NoProfile -ExecutionPolicy Bypass -File "%~dp0setup.ps1" %*
exit /b %ERRORLEVEL%
